//! The CPU time and memory of a process and all its descendants, as the operating system reports them.

use std::time::Duration;

use serde::Serialize;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The resources that a process tree has used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// User and system CPU time since its start.
    #[serde(skip)]
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub rss: u64,
}

/// A process and its descendants.
pub struct ProcessTree {
    system: System,
    root: Pid,
}

impl ProcessTree {
    /// The tree below the process `pid`.
    pub fn new(pid: u32) -> Self {
        Self {
            system: System::new(),
            root: Pid::from_u32(pid),
        }
    }

    /// The resources that it has used until now.
    pub fn usage(&mut self) -> Usage {
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        self.system
            .refresh_processes_specifics(ProcessesToUpdate::All, true, kind.without_tasks());
        let mut usage = Usage::default();
        for (pid, process) in self.system.processes() {
            if self.descends(*pid) {
                usage.cpu += Duration::from_millis(process.accumulated_cpu_time());
                usage.rss += process.memory();
            }
        }
        usage
    }

    /// Whether a process belongs to the tree.
    fn descends(&self, mut pid: Pid) -> bool {
        loop {
            if pid == self.root {
                return true;
            }
            match self
                .system
                .process(pid)
                .and_then(|process| process.parent())
            {
                Some(parent) => pid = parent,
                None => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_includes_child_processes() {
        let mut tree = ProcessTree::new(std::process::id());
        let alone = tree.usage();
        assert!(alone.rss > 0);
        let mut child = std::process::Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        // On a busy machine, the child process gets little CPU time.
        let begun = std::time::Instant::now();
        let mut both = alone;
        while both.cpu < alone.cpu + Duration::from_millis(100) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{both:?}");
            std::thread::sleep(Duration::from_millis(50));
            both = tree.usage();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
