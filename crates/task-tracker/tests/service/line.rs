//! A bare TCP line to the service, and waiting with a deadline.

use std::{
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Far above what anything here takes, so that only a hang runs into it.
const DEADLINE: Duration = Duration::from_mins(1);

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("it happens in time")
}

/// Says so past the capture of the test's output: that something was left out must be seen.
pub(crate) fn skipped(what: &str) {
    drop(writeln!(io::stderr(), "skipped: {what}"));
}

/// Asks again until the answer is yes.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut question: impl FnMut() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !question().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(within(TcpStream::connect(address)).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// As `say`, to somebody who may have hung up.
    pub(crate) async fn try_say(&mut self, text: &str) {
        drop(within(self.0.write_all(text.as_bytes())).await);
    }

    /// What arrives until the other side hangs up.
    pub(crate) async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is a hang-up too.
        drop(within(self.0.read_to_end(&mut bytes)).await);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What arrives next.
    pub(crate) async fn hear(&mut self) -> String {
        let mut bytes = vec![0; 4096];
        let length = within(self.0.read(&mut bytes)).await.unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}
