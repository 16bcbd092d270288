//! What the property tests of this workspace share.
//!
//! - [`check()`] runs a property, and checks which classes of cases occurred.
//! - [`text`], [`edited`] and [`number_near`] are strategies for inputs.
//! - [`percent_encoded`], [`percent_decoded`], [`query_of`] and [`hidden`] are for percent-encoding.
//!
//! The properties are in modules called `proptests`, next to the code that they test. Each runs 1,000 cases, or as many
//! as the variable `PROPTEST_CASES` says. `--nocapture` shows how many cases of each class there were:
//!
//! ```sh
//! PROPTEST_CASES=100000 cargo test --locked --workspace proptests -- --nocapture
//! ```
//!
//! # Example
//!
//! ```
//! use proptest::prelude::*;
//! use proptest_support::{check, text};
//!
//! check(&["blank", "not blank"], text(&[" ", "x"], 4), |text: String, seen| {
//!     let trimmed = text.trim();
//!     seen.note(if trimmed.is_empty() { "blank" } else { "not blank" });
//!     prop_assert_eq!(trimmed, trimmed.trim());
//!     Ok(())
//! });
//! ```

mod check;
mod percent;
mod strategies;

pub use self::check::{Seen, check};
pub use self::percent::{hidden, percent_decoded, percent_encoded, query_of};
pub use self::strategies::{edited, number_near, text};
