//! What is being done, for whoever measures it: an operation of the API by its own name, the guard's look before it, or
//! work in the background.
//!
//! The name travels with the task that does it. There are as many as the API's description has, whatever clients send.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
};

tokio::task_local! {
    static NAME: Name;
}

thread_local! {
    /// Whether this thread is in the middle of an operation that had no trouble with the database so far.
    static WELL: Cell<bool> = const { Cell::new(false) };
}

/// What something is done for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// To find out who is asking.
    Guard,
    /// Whatever no request waits for.
    Background,
    /// By its `operationId`.
    Operation(Arc<str>),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Guard => "guard",
            Self::Background => "background",
            Self::Operation(id) => id,
        }
    }
}

/// Does this under that name.
pub(crate) async fn named<T>(name: Name, work: impl Future<Output = T>) -> T {
    let mut work = pin!(NAME.scope(name, work));
    let mut well = true;
    poll_fn(|context| {
        let outside = Outside(WELL.replace(well));
        let outcome = work.as_mut().poll(context);
        well = WELL.get();
        drop(outside);
        outcome
    })
    .await
}

/// What is put back however a look at the work ends.
struct Outside(bool);

impl Drop for Outside {
    fn drop(&mut self) {
        WELL.set(self.0);
    }
}

/// From here on nothing that the current operation has used can be taken for sound.
pub(crate) fn had_trouble() {
    WELL.set(false);
}

/// Whether whoever asks is at work, without any trouble so far: what is dropped now was done with. A future that is dropped
/// half-way, since its client has gone or its time is over, is not at work.
pub(crate) fn goes_well() -> bool {
    WELL.get() && !std::thread::panicking()
}

/// What the current task is doing.
pub(crate) fn current() -> Name {
    NAME.try_with(Name::clone).unwrap_or(Name::Background)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes how things went when it was dropped.
    struct Witness(Arc<std::sync::Mutex<Vec<bool>>>);

    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(goes_well());
        }
    }

    #[tokio::test]
    async fn only_what_was_done_with_goes_well() {
        let seen = Arc::default();
        let witness = || Witness(Arc::clone(&seen));
        drop(witness());
        named(Name::Guard, async {
            drop(witness());
            tokio::task::yield_now().await;
            drop(witness());
            had_trouble();
            tokio::task::yield_now().await;
            drop(witness());
        })
        .await;
        named(Name::Guard, async { drop(witness()) }).await;
        let half_way = named(Name::Guard, async {
            let held = witness();
            std::future::pending::<()>().await;
            drop(held);
        });
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(1), half_way)
                .await
                .is_err()
        );
        assert_eq!(*seen.lock().unwrap(), [false, true, true, false, true, false]);
    }
}
