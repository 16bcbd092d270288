//! Random numbers.

/// A random whole number from `least` to `most`. Waiting times are random, so that clients whose streams were cut at
/// the same time do not all reconnect at the same time.
pub fn random_between(least: u32, most: u32) -> u32 {
    let span = f64::from(most.saturating_sub(least).saturating_add(1));
    // Below 2^32, and casts from floats saturate.
    least.saturating_add((js_sys::Math::random() * span) as u32)
}
