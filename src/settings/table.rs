//! The table of all settings: names, defaults and ranges. Pure.
//!
//! [`Settings::read`](super::Settings::read) reads the variables by the rows of this table. A test compares the table
//! with `cli/serve/settings.mjs`, with the documentation, and with the variables that `Settings::read` asks for.

use crate::environment::{Environment, SettingError};

/// A setting that is a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The name of the variable.
    pub name: &'static str,
    /// The value if the variable is not set. If another setting moves a bound beyond this value, the value is the
    /// bound.
    pub default: u64,
    /// The smallest value.
    pub least: Bound,
    /// The largest value.
    pub most: Bound,
}

/// One end of the range of a [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This number.
    Fixed(u64),
    /// The value of another setting.
    Setting(&'static Number),
    /// `factor * of + plus`, which depends on the value of another setting.
    Scaled {
        /// What the other setting is multiplied by.
        factor: u64,
        /// The other setting.
        of: &'static Number,
        /// What is added.
        plus: u64,
    },
}

/// A setting that is one of a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The name of the variable.
    pub name: &'static str,
    /// The word if the variable is not set.
    pub default: &'static str,
    /// All words.
    pub words: &'static [&'static str],
}

/// A setting that is a text of any other form. The module that uses it checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The name of the variable.
    pub name: &'static str,
    /// The text if the variable is not set; empty for none.
    pub default: &'static str,
}

/// Defines a constant for each row, and a list of all of them.
macro_rules! rows {
    ($list:ident: $kind:ident; $($(#[$doc:meta])* $name:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        $($(#[$doc])* pub const $name: $kind = $kind { name: stringify!($name), $($field: $value),* };)*

        /// All settings of this kind.
        pub const $list: &[$kind] = &[$($name),*];
    };
}

use Bound::{Fixed, Scaled, Setting};

rows! { NUMBERS: Number;
    /// How many events may wait for one stream.
    BUFFER_EVENTS { default: 256, least: Fixed(1), most: Fixed(65_536) }
    /// How many bytes may wait for one stream. At most 8 MiB: an object has 128 MiB, which it may share with other
    /// objects.
    BUFFER_BYTES { default: 1 << 20, least: Fixed(1_024), most: Fixed(8 << 20) }
    /// How often an idle stream gets a comment.
    HEARTBEAT_SECONDS { default: 15, least: Fixed(1), most: Fixed(300) }
    /// How long a stream may take nothing while events wait for it. 0 = forever.
    STALL_SECONDS { default: 300, least: Fixed(0), most: Fixed(86_400) }
    /// How long an event may wait to be written together with others. 0 = write each event at once.
    FLUSH_MAX_MS { default: 25, least: Fixed(0), most: Fixed(1_000) }
    /// The largest body of a batch. A batch has to fit into the buffer of a stream as a whole.
    MAX_BATCH_BYTES { default: 1 << 20, least: Fixed(1), most: Setting(&BUFFER_BYTES) }
    /// The most data of one event. An event has to fit into a batch.
    MAX_EVENT_BYTES { default: 65_536, least: Fixed(1), most: Setting(&MAX_BATCH_BYTES) }
    /// The most events of a batch.
    MAX_BATCH_EVENTS { default: 256, least: Fixed(1), most: Setting(&BUFFER_EVENTS) }
    /// How much memory the bodies and logs of one instance may take.
    ///
    /// The default leaves most of an object's 128 MiB to what is not counted: JavaScript, open streams and copies of
    /// bodies. The largest value is half of what WebAssembly can address. The smallest value lets the largest publish
    /// through: it takes `BUFFER_BYTES` once it is encoded, and a publish may take half of the room for bodies, which
    /// is a quarter of this number.
    MEMORY_BYTES {
        default: 32 << 20,
        least: Scaled { factor: 8, of: &BUFFER_BYTES, plus: 1 << 16 },
        most: Fixed(2 << 30),
    }
    /// How long the body of a publish may take to arrive.
    BODY_SECONDS { default: 30, least: Fixed(1), most: Fixed(300) }
    /// Open streams per channel. The runtime keeps about 70 KiB for an open stream, and an object has 128 MiB, so the
    /// default is near what an object can hold.
    MAX_SUBSCRIBERS { default: 2_000, least: Fixed(1), most: Fixed(32_768) }
    /// How many messages a stream may cost that the Worker holds. 0 = no limit. The platform limits the CPU time of a
    /// request: on its free plan to 10 ms, of which a message takes about 25 us. The default leaves a third as reserve.
    /// 100 million messages are far more than any plan allows.
    HELD_STREAM_MESSAGES { default: 250, least: Fixed(0), most: Fixed(100_000_000) }
    /// The most channels of one request.
    MAX_CHANNELS_PER_STREAM { default: 20, least: Fixed(1), most: Fixed(100) }
    /// How many channels one instance may have open. 0 = no limit.
    MAX_OPEN_CHANNELS { default: 0, least: Fixed(0), most: Fixed(1_000_000) }
    /// Publishes per second and channel. 0 = no limit. The largest value is far more than an object can handle.
    PUBLISH_PER_SECOND { default: 0, least: Fixed(0), most: Fixed(1_000_000) }
    /// How many events the history of a channel keeps. 0 = no history. An object may have to read the first bytes of as
    /// many rows.
    HISTORY_EVENTS { default: 1_000, least: Fixed(0), most: Fixed(1_000_000) }
    /// How long the history keeps an event. At most a year.
    HISTORY_SECONDS { default: 86_400, least: Fixed(1), most: Fixed(365 * 86_400) }
    /// How many bytes the history of a channel keeps. On disk there may be twice as many, and the history deletes half
    /// of that at once: with rows of 1 MB, deleting 256 MB took 0.22 s, in which the object does nothing else.
    HISTORY_BYTES { default: 16 << 20, least: Fixed(1), most: Fixed(256 << 20) }
    /// How long the idempotency key of a publish is remembered. At most a day.
    IDEMPOTENCY_SECONDS { default: 600, least: Fixed(1), most: Fixed(86_400) }
    /// How many keys a channel remembers. An object keeps all of them in memory.
    IDEMPOTENCY_KEYS { default: 1_024, least: Fixed(1), most: Fixed(16_384) }
}

rows! { CHOICES: Choice;
    /// Which requests need a token. [`Access::read`](crate::auth::Access::read) reads it.
    ACCESS { default: "token", words: &["token", "publish-token", "open"] }
    /// Whether objects or the Worker hold open streams.
    HOLD_STREAMS { default: "object", words: &["object", "worker", "auto"] }
    /// The lowest level of the lines that are logged.
    LOG_LEVEL { default: "info", words: &["debug", "info", "warn", "error"] }
}

rows! { TEXTS: Text;
    /// The secret that verifies tokens signed with HS256. [`Access::read`](crate::auth::Access::read) reads it, and the
    /// next three settings.
    JWT_SECRET { default: "" }
    /// The public keys that verify tokens, as a JWK Set.
    JWT_KEYS { default: "" }
    /// The `iss` that tokens must have.
    JWT_ISSUER { default: "" }
    /// The `aud` that tokens must have or contain.
    JWT_AUDIENCE { default: "" }
    /// The origins whose pages may read the responses.
    ALLOWED_ORIGINS { default: "*" }
}

impl Bound {
    /// The number that this bound is, given the other settings.
    pub fn value(self, environment: &Environment) -> Result<u64, SettingError> {
        Ok(match self {
            Fixed(number) => number,
            Setting(other) => other.read(environment)?,
            Scaled { factor, of, plus } => of
                .read(environment)?
                .saturating_mul(factor)
                .saturating_add(plus),
        })
    }

    /// The formula of this bound, if it depends on another setting.
    fn formula(self) -> Option<String> {
        match self {
            Fixed(_) => None,
            Setting(other) => Some(other.name.to_owned()),
            Scaled { factor, of, plus } => Some(format!("{factor} × {} + {plus}", of.name)),
        }
    }
}

impl Number {
    /// Reads the variable. Fails if it is not a number of the range, or if a setting that the range depends on is
    /// wrong.
    pub fn read(&self, environment: &Environment) -> Result<u64, SettingError> {
        let least = self.least.value(environment)?;
        let most = self.most.value(environment)?;
        // Not `clamp`, which panics if `least` is larger than `most`.
        let default = self.default.max(least).min(most);
        let bounds = [("at least", self.least), ("at most", self.most)];
        let formulas = bounds
            .into_iter()
            .filter_map(|(end, bound)| Some(format!(" ({end} {})", bound.formula()?)));
        environment.number(
            self.name,
            default,
            least,
            most,
            &formulas.collect::<String>(),
        )
    }
}

impl Choice {
    /// Reads the variable. `known` gives the meaning of each of the words.
    pub fn read<T>(
        &self,
        environment: &Environment,
        known: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        let word = environment
            .get(self.name)
            .unwrap_or_else(|| self.default.to_owned());
        known(&word).ok_or_else(|| SettingError {
            name: self.name,
            found: format!("is \"{word}\""),
            expected: self.expected(),
        })
    }

    /// All words, as in `a, b or c`.
    fn expected(&self) -> String {
        match self.words.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

impl Text {
    /// Reads the variable.
    pub fn read(&self, environment: &Environment) -> String {
        environment
            .get(self.name)
            .unwrap_or_else(|| self.default.to_owned())
    }
}
