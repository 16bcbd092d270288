//! What has to hold in the model after each step, and at the end.

use super::Model;
use super::reader::Check;
use crate::ConnId;

impl Model {
    /// Compares what the clients have read with what was published.
    pub fn check(&mut self) {
        for session in &mut self.sessions {
            for check in session.take_checks() {
                match check {
                    Check::Event(channel, id, data) => {
                        let object = &self.objects[session.list[channel]];
                        assert_eq!(data, object.published[&id.epoch][id.seq as usize - 1]);
                    }
                    Check::Gap(channel, _, to) => {
                        let object = &mut self.objects[session.list[channel]];
                        assert!(
                            !object.holds(to, self.now),
                            "{to} is stored, but reported as a gap"
                        );
                    }
                    Check::Dropped(_) => {
                        assert!(!session.keeps_up, "a client that keeps up drops nothing");
                    }
                }
            }
        }
    }

    /// All messages arrive, and all clients read, for some time. Then each client has everything.
    pub fn drain(&mut self) {
        for object in &mut self.objects {
            object.history.fails = false;
        }
        for _ in 0..2 {
            self.run_until(self.now + 60_000, Self::deliver_everything);
            self.deliver_everything();
        }
        for session in &self.sessions {
            if session.has_ended {
                continue;
            }
            assert!(session.reader.is_between_blocks());
            for (known, object) in session.reader.known.iter().zip(&session.list) {
                let object = &self.objects[*object];
                if !known.has_ended {
                    assert_eq!(known.last, Some(object.newest()), "{}", object.name);
                    assert!(!object.hub.has_ended(), "the end was reported");
                }
            }
        }
        for object in &self.objects {
            let has_feeds = !object.feeds.is_empty() && object.history.holds.is_none();
            assert!(
                object.hub.next_poll().is_none() || has_feeds,
                "all windows are open"
            );
        }
    }

    fn deliver_everything(&mut self) {
        for index in 0..self.sessions.len() {
            self.exchange(index);
        }
        for object in 0..self.objects.len() {
            let conns: Vec<ConnId> = self.objects[object].feeds.keys().copied().collect();
            for conn in conns {
                while self.deliver_to_object(object, conn) {}
            }
        }
        self.check();
    }
}
