//! A way to the database that can be cut, or that loses what a pooler loses.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};
use tt_fixture::postgres::Server;

/// What passes of the start-up packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Startup {
    Whole,
    /// Without `options`, as a pooler that ignores what it does not know.
    WithoutOptions,
}

pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl Way {
    pub(crate) async fn to_the_database(startup: Startup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut state = state.subscribe();
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        return;
                    }
                    tokio::select! {
                        () = carry(near, startup) => {}
                        _ = state.changed() => {}
                    }
                });
            }
        });
        Self { address, open }
    }

    /// Ends what goes over it, and refuses what wants to.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, startup: Startup) {
    near.set_nodelay(true).unwrap();
    let mut far = UnixStream::connect(Server::shared().socket()).await.unwrap();
    if startup == Startup::WithoutOptions {
        let length = near.read_u32().await.unwrap();
        let mut packet = vec![0; length as usize - 4];
        near.read_exact(&mut packet).await.unwrap();
        let packet = without_options(&packet);
        far.write_u32(u32::try_from(packet.len()).unwrap() + 4).await.unwrap();
        far.write_all(&packet).await.unwrap();
    }
    // Either side may hang up at any time.
    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
}

/// PostgreSQL manual, "Message Formats": after the protocol's version, names and values, each ended by a zero.
fn without_options(packet: &[u8]) -> Vec<u8> {
    let (version, rest) = packet.split_at(4);
    let words: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let mut kept = version.to_vec();
    for pair in words
        .chunks(2)
        .filter(|pair| pair.len() == 2 && !pair[0].is_empty() && pair[0] != b"options")
    {
        for word in pair {
            kept.extend_from_slice(word);
            kept.push(0);
        }
    }
    kept.push(0);
    kept
}
