//! How a subscriber keeps up.

use crate::cursor::MissedEvents;
use crate::join::JoinOptions;

/// How a subscriber keeps up, and what happens to events that leave the log before it was given them.
///
/// A subscriber has three properties that change: whether it takes its chunks in time, whether it has dropped events
/// since it was level, and whether it reads missed events from the history. Not all combinations can occur:
///
/// | | [`Never`](CatchUp::Never) | [`UntilLevel`](CatchUp::UntilLevel) | [`Always`](CatchUp::Always) |
/// |---|---|---|---|
/// | responsive | a new stream without replay | a new stream that starts in the past | a new stream with catch-up |
/// | unresponsive | a chunk was not taken in time | the same; or its events were evicted | a chunk was not taken in time |
/// | dropping | its events left the log | events were evicted after it got its notice | never: it drops nothing |
///
/// A dropping subscriber counts as unresponsive: the hub lets events leave the log only after every subscriber that
/// would drop them was found unresponsive. So the enum has three variants instead of two flags. `Dropping` has a `bool`
/// in place of a [`CatchUp`], because of the last cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The subscriber takes its chunks in time, as far as is known. Publishers wait a loop turn for it.
    Responsive(CatchUp),
    /// The subscriber did not take a chunk in a whole loop turn. Publishers do not wait for it until it is level again.
    Unresponsive(CatchUp),
    /// The subscriber has dropped events since it was last level. Publishers do not wait for it until it is level
    /// again.
    Dropping {
        /// The number of dropped events that its notices have counted.
        notified: u64,
        /// Whether the subscriber reads the events that it misses from now on from the history, until it is level.
        replays: bool,
    },
}

/// When a subscriber reads the events that have left the log from the history. Otherwise it drops them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// It never reads the history.
    Never,
    /// It reads the history until it is level with the head.
    UntilLevel,
    /// It reads the history whenever it is behind the log.
    Always,
}

impl CatchUp {
    /// What a stream asked for when it joined. `behind` says that it starts before the head.
    pub fn new(options: &JoinOptions, behind: bool) -> Self {
        if options.history && options.catch_up {
            Self::Always
        } else if options.history && behind {
            Self::UntilLevel
        } else {
            Self::Never
        }
    }

    fn missed_events(self) -> MissedEvents {
        match self {
            Self::Never => MissedEvents::Dropped,
            Self::UntilLevel | Self::Always => MissedEvents::Replayed,
        }
    }
}

impl Mode {
    /// Whether publishers wait for the subscriber.
    pub fn is_responsive(self) -> bool {
        matches!(self, Self::Responsive(_))
    }

    /// Whether the subscriber has dropped events since it was last level.
    pub fn is_dropping(self) -> bool {
        matches!(self, Self::Dropping { .. })
    }

    /// Returns what happens to the events that leave the log before the subscriber was given them.
    pub fn missed_events(self) -> MissedEvents {
        match self {
            Self::Responsive(catch_up) | Self::Unresponsive(catch_up) => catch_up.missed_events(),
            Self::Dropping { replays: true, .. } => MissedEvents::Replayed,
            Self::Dropping { replays: false, .. } => MissedEvents::Dropped,
        }
    }

    /// Notes that the subscriber did not take a chunk in a whole loop turn.
    pub fn become_unresponsive(&mut self) {
        if let Self::Responsive(catch_up) = *self {
            *self = Self::Unresponsive(catch_up);
        }
    }

    /// Notes that events leave the log before the subscriber was given them. Returns whether they are the first that it
    /// drops since it was level.
    pub fn start_dropping(&mut self) -> bool {
        debug_assert_eq!(
            self.missed_events(),
            MissedEvents::Dropped,
            "a subscriber that reads the history drops nothing"
        );
        let starts = !self.is_dropping();
        if starts {
            *self = Self::Dropping {
                notified: 0,
                replays: false,
            };
        }
        starts
    }

    /// Makes the subscriber read the events that it misses from now on from the history, until it is level.
    pub fn replay_until_level(&mut self) {
        match self {
            Self::Responsive(catch_up) | Self::Unresponsive(catch_up) => {
                if *catch_up == CatchUp::Never {
                    *catch_up = CatchUp::UntilLevel;
                }
            }
            Self::Dropping { replays, .. } => *replays = true,
        }
    }

    /// Notes that the subscriber got a notice of `events` dropped events.
    pub fn note_notice(&mut self, events: u64) {
        if let Self::Dropping { notified, .. } = self {
            *notified = notified.saturating_add(events);
        } else {
            debug_assert_eq!(events, 0, "only a dropping subscriber gets a notice");
        }
    }

    /// Notes that the subscriber is level with the head. If it was dropping, returns the number of events that it
    /// dropped.
    pub fn become_level(&mut self) -> Option<u64> {
        let (catch_up, dropped) = match *self {
            Self::Responsive(catch_up) | Self::Unresponsive(catch_up) => (catch_up, None),
            Self::Dropping { notified, .. } => (CatchUp::Never, Some(notified)),
        };
        *self = Self::Responsive(match catch_up {
            CatchUp::Never | CatchUp::UntilLevel => CatchUp::Never,
            CatchUp::Always => CatchUp::Always,
        });
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [CatchUp; 3] = [CatchUp::Never, CatchUp::UntilLevel, CatchUp::Always];

    #[test]
    fn a_subscriber_is_unresponsive_until_it_is_level() {
        for catch_up in ALL {
            let mut mode = Mode::Responsive(catch_up);
            mode.become_unresponsive();
            assert_eq!(mode, Mode::Unresponsive(catch_up));
            assert!(!mode.is_responsive() && !mode.is_dropping());
            assert_eq!(mode.become_level(), None);
            assert!(mode.is_responsive());
        }
    }

    #[test]
    fn a_dropping_subscriber_counts_as_unresponsive() {
        let mut mode = Mode::Unresponsive(CatchUp::Never);
        assert!(mode.start_dropping());
        assert!(mode.is_dropping() && !mode.is_responsive());
        let dropping = mode;
        mode.become_unresponsive();
        assert_eq!(mode, dropping);
    }

    #[test]
    fn the_dropped_events_of_all_notices_are_counted_until_the_subscriber_is_level() {
        let mut mode = Mode::Unresponsive(CatchUp::Never);
        assert!(mode.start_dropping());
        mode.note_notice(3);
        assert!(!mode.start_dropping(), "it has started already");
        mode.note_notice(4);
        assert_eq!(mode.become_level(), Some(7));
        assert_eq!(mode, Mode::Responsive(CatchUp::Never));
        assert_eq!(mode.become_level(), None);
    }

    #[test]
    fn only_a_subscriber_that_always_catches_up_reads_the_history_after_it_was_level() {
        for catch_up in ALL {
            let mut mode = Mode::Responsive(catch_up);
            let replays = mode.missed_events() == MissedEvents::Replayed;
            assert_eq!(replays, catch_up != CatchUp::Never);
            mode.become_level();
            let replays = mode.missed_events() == MissedEvents::Replayed;
            assert_eq!(replays, catch_up == CatchUp::Always);
        }
    }

    #[test]
    fn after_an_eviction_every_subscriber_reads_the_history_until_it_is_level() {
        let dropping = Mode::Dropping {
            notified: 5,
            replays: false,
        };
        let others = ALL
            .into_iter()
            .flat_map(|catch_up| [Mode::Responsive(catch_up), Mode::Unresponsive(catch_up)]);
        for mode in others.chain([dropping]) {
            let mut evicted = mode;
            evicted.replay_until_level();
            assert_eq!(evicted.missed_events(), MissedEvents::Replayed);
            assert_eq!(evicted.is_responsive(), mode.is_responsive());
            assert_eq!(evicted.is_dropping(), mode.is_dropping());
            let (mut level, mut evicted_level) = (mode, evicted);
            assert_eq!(evicted_level.become_level(), level.become_level());
            assert_eq!(evicted_level, level);
        }
    }
}
