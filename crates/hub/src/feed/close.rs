//! Why the object closes a feed.

/// Why the object closes a feed. The close code of the WebSocket says so to the Worker. A feed that closes with another
/// code has broken, for example because the object was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedClose {
    /// The channel has ended or was deleted. The feed has delivered the `hub.end` notice.
    ChannelEnded,
    /// The Worker has acknowledged nothing for too long, or keeps an event in memory while memory is short. The
    /// client's stream has to end.
    Stalled,
    /// The object cannot read the next events. The Worker opens the feed again after a while.
    Unreadable,
    /// The server is stopping. The client's stream has to end.
    Stopping,
    /// The Worker has sent something that is no [`FeedMessage`](super::FeedMessage).
    BadMessage,
}

impl FeedClose {
    const ALL: [Self; 5] = [
        Self::ChannelEnded,
        Self::Stalled,
        Self::Unreadable,
        Self::Stopping,
        Self::BadMessage,
    ];

    /// The close code. 4000 to 4999 are for private use, and 1008 means a violation of a policy (RFC 6455, section
    /// 7.4).
    pub fn code(self) -> u16 {
        match self {
            Self::ChannelEnded => 4001,
            Self::Stalled => 4002,
            Self::Unreadable => 4003,
            Self::Stopping => 4004,
            Self::BadMessage => 1008,
        }
    }

    /// The reason with this code. `None` means that the feed has broken.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|close| close.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_code_of_its_own() {
        for close in FeedClose::ALL {
            assert_eq!(FeedClose::from_code(close.code()), Some(close));
        }
        for code in [0, 1000, 1005, 1006, 4000] {
            assert_eq!(FeedClose::from_code(code), None);
        }
    }
}
