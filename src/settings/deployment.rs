//! The settings of this deployment. One instance reads them once.

use std::cell::OnceCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use worker::Env;

use crate::environment::SettingError;
use crate::logging;
use crate::settings::Settings;

thread_local! {
    static SETTINGS: OnceCell<Result<Rc<Settings>, SettingError>> = const { OnceCell::new() };
}

/// Returns the settings of this deployment. The first call reads them from `env` and sets the level of the log.
pub fn settings(env: &Env) -> Result<Rc<Settings>, SettingError> {
    SETTINGS.with(|settings| {
        settings
            .get_or_init(|| {
                let settings = Settings::read(|name| variable(env, name))?;
                logging::set_threshold(settings.log_level);
                Ok(Rc::new(settings))
            })
            .clone()
    })
}

/// A variable as text. `wrangler.toml` may also give it as a number or a boolean.
fn variable(env: &Env, name: &str) -> Option<String> {
    let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() || value.is_null() {
        return None;
    }
    value
        .as_string()
        .or_else(|| js_sys::JSON::stringify(&value).ok()?.as_string())
}
