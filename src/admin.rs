//! The requests of `npm run serve` to the Worker, through a socket that only the operator can reach. `src/admin.mjs`
//! calls these functions. On Cloudflare, nothing calls them.

use std::time::Duration;

use futures_util::future::join_all;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{Delay, Env};

use crate::channel::shutdown::channels_with_streams;
use crate::http::held::ClientStream;
use crate::http::object;
use crate::http::problem;
use crate::isolate::clock::now;
use crate::isolate::{instance, stopping};
use crate::logging::{Level, Line, on_one_line};
use crate::settings::deployment;
use sse_hub::Millis;

/// How long the streams stay open for the publishes in flight, in milliseconds: half of the time that
/// `cli/serve/workerd.mjs` gives a stop. A publish that takes longer is stored, and the clients get it when they resume.
const CHANGES_PATIENCE: Millis = 1_000;

/// How long to wait for the streams that the Worker ends, in milliseconds.
const FEEDS_PATIENCE: Millis = 200;

/// How often to check whether publishes are in flight.
const CHECK_AGAIN: Duration = Duration::from_millis(10);

/// Says in one line what is wrong with the settings, or returns `None` if nothing is.
#[wasm_bindgen(js_name = settingsError)]
pub async fn settings_error(env: Env) -> Option<String> {
    instance::watch();
    let result = match deployment::settings(&env) {
        Ok(settings) => settings.access.import_keys().await,
        Err(error) => Err(error),
    };
    let error = result.err()?;
    Some(on_one_line(&problem::wrong_setting(&error, "start")))
}

/// Ends the streams that the Worker holds. The objects have closed the feeds of channels that are awake, which ends
/// their streams after the last events.
async fn stop_held_streams() {
    wait_for_held_streams().await;
    ClientStream::stop_all();
    wait_for_held_streams().await;
}

async fn wait_for_held_streams() {
    let until = now().saturating_add(FEEDS_PATIENCE);
    while ClientStream::open_streams() > 0 && now() < until {
        Delay::from(CHECK_AGAIN).await;
    }
}

/// Refuses further requests to channels, waits for the publishes in flight, and ends all streams.
#[wasm_bindgen(js_name = shutDown)]
pub async fn shut_down(env: Env) {
    instance::watch();
    stopping::begin();
    let until = now().saturating_add(CHANGES_PATIENCE);
    while stopping::changes_in_flight() > 0 && now() < until {
        Delay::from(CHECK_AGAIN).await;
    }
    let channels = channels_with_streams();
    let calls = channels.iter().map(async |channel| {
        if let Err(error) = object::shut_down(&env, channel).await {
            Level::Error.log(|| {
                Line::new("streams could not be ended")
                    .field("id", channel)
                    .error(&error)
            });
        }
    });
    join_all(calls).await;
    stop_held_streams().await;
}
