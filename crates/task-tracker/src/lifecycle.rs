//! The stages a process goes through on its way out: serving → draining → stopping → cut.
//!
//! Owns the order of the stages and nothing else; what each stage means is said where it is heard (`/readyz`, the
//! acceptor, every connection).

use tokio_util::sync::CancellationToken;

/// The stage of one service process, shared by everything in it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    draining: CancellationToken,
    stopping: CancellationToken,
    cut: CancellationToken,
}

impl Lifecycle {
    /// A process that serves.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a signal does: the first one begins the drain, a second one ends the process at once.
    pub fn interrupt(&self) {
        if self.draining.is_cancelled() {
            self.cut();
        } else {
            self.draining.cancel();
        }
    }

    /// Not ready for new traffic, yet everything that arrives is still served.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub(crate) async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// No new connections; those that are open finish what they have.
    pub(crate) fn stop(&self) {
        self.draining.cancel();
        self.stopping.cancel();
    }

    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Connections end where they are.
    pub(crate) fn cut(&self) {
        self.stop();
        self.cut.cancel();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    pub(crate) async fn cut_off(&self) {
        self.cut.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_signal_cuts() {
        let lifecycle = Lifecycle::new();
        lifecycle.interrupt();
        assert!(lifecycle.is_draining() && !lifecycle.is_cut());
        lifecycle.interrupt();
        assert!(lifecycle.is_cut());
    }

    #[test]
    fn cutting_implies_every_stage_before_it() {
        let lifecycle = Lifecycle::new();
        lifecycle.cut();
        assert!(lifecycle.is_draining() && lifecycle.stopping.is_cancelled());
    }
}
