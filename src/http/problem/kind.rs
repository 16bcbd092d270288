//! The kind of each problem: its status, its type, and what follows for the headers of the response.

use super::Problem;
use super::document::is_temporary;
use crate::auth::Denied;
use crate::http::channel_id::ListError;

impl Problem {
    /// The status, the last part of the `type`, and the title. The test of `public/openapi.yaml` reads this function.
    pub(super) fn kind(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidHost => (400, "invalid-host", "Invalid host"),
            Self::InvalidTarget => (400, "invalid-target", "Invalid request target"),
            Self::NotFound => (404, "not-found", "Not found"),
            Self::MethodNotAllowed { .. } => (405, "method-not-allowed", "Method not allowed"),
            Self::Denied(Denied::Missing(_)) => (401, "missing-token", "Token missing"),
            Self::Denied(Denied::Invalid(_)) => (401, "invalid-token", "Invalid token"),
            Self::Denied(Denied::Forbidden(_) | Denied::ForbiddenChannel { .. }) => {
                (403, "forbidden", "Forbidden")
            }
            Self::TooManyPublishes { .. } => (429, "too-many-publishes", "Too many publishes"),
            Self::TooManyRequests { .. } => (429, "too-many-requests", "Too many requests"),
            Self::InvalidChannelId
            | Self::InvalidChannelIds(ListError::NotAnId | ListError::NotAnIdOfList { .. }) => {
                (400, "invalid-channel-id", "Invalid channel id")
            }
            Self::InvalidChannelIds(
                ListError::EmptyId { .. } | ListError::Repeated { .. } | ListError::TooMany { .. },
            )
            | Self::OneChannelOnly { .. } => {
                (400, "invalid-channel-list", "Invalid list of channels")
            }
            Self::InvalidEventType { .. } => (400, "invalid-event-type", "Invalid event type"),
            Self::InvalidQuery(_) => (400, "invalid-query", "Invalid query"),
            Self::InvalidIdempotencyKey { .. } | Self::DifferentIdempotencyKeys => {
                (400, "invalid-idempotency-key", "Invalid idempotency key")
            }
            Self::IdempotencyKeyReused => (422, "idempotency-key-reused", "Idempotency key reused"),
            Self::InvalidUtf8 { .. } => (400, "invalid-utf-8", "Body is not UTF-8"),
            Self::BrokenBody => (400, "broken-body", "Incomplete body"),
            Self::EmptyBatch => (400, "empty-batch", "Batch without events"),
            Self::TooManyEvents { .. } => (413, "too-many-events", "Too many events"),
            Self::BodyTooLarge { .. } => (413, "body-too-large", "Body too large"),
            Self::BodyTooSlow { .. } => (408, "body-too-slow", "Body too slow"),
            Self::TooManyOpenChannels { .. } => {
                (503, "too-many-open-channels", "Too many open channels")
            }
            Self::MemoryFull => (503, "memory-full", "Memory full"),
            Self::EventTooLarge { .. } => (413, "event-too-large", "Event too large"),
            Self::EncodedTooLarge { .. } | Self::EncodedEventTooLarge { .. } => {
                (413, "encoded-too-large", "Too large once encoded")
            }
            Self::UnsupportedEncoding { .. } => {
                (415, "unsupported-encoding", "Unsupported content encoding")
            }
            Self::UnsupportedCharset { .. } => (415, "unsupported-charset", "Unsupported charset"),
            Self::ChannelFull { .. } => (503, "channel-full", "Channel full"),
            Self::StorageFailed(_) => (503, "storage-failed", "Storage failed"),
            Self::ChannelUnavailable => (503, "channel-unavailable", "Channel unavailable"),
            Self::Stopping => (503, "stopping", "Server stopping"),
            Self::InvalidSetting(_) => (500, "invalid-setting", "Invalid setting"),
            Self::Internal => (500, "internal-error", "Internal error"),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind().0
    }

    /// Whether the same request can succeed later, so that a client should try again.
    pub fn is_temporary(&self) -> bool {
        is_temporary(self.status())
    }

    /// When to try again, as the value of `Retry-After` in seconds.
    pub fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::TooManyPublishes { .. } | Self::MemoryFull => Some("1"),
            // The shortest period that the platform counts requests over.
            Self::TooManyRequests { .. } => Some("10"),
            _ => self.is_temporary().then_some("5"),
        }
    }

    /// The value of `WWW-Authenticate`, with the error codes of RFC 6750, section 3.1. It never names `Basic`: a
    /// browser would ask its user for a password, and would then send it with the requests of all sites, as it sends
    /// cookies.
    pub fn challenge(&self) -> Option<&'static str> {
        match self.status() {
            401 => Some("Bearer error=\"invalid_token\""),
            403 => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_should_try_again_only_if_the_problem_is_temporary() {
        assert!(Problem::ChannelFull { max: 1 }.is_temporary());
        assert!(Problem::ChannelUnavailable.is_temporary());
        assert!(Problem::TooManyPublishes { max: 1 }.is_temporary());
        assert!(!Problem::Internal.is_temporary());
        assert!(!Problem::InvalidChannelId.is_temporary());
    }
}
