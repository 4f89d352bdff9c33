//! A way to the database that can be long, and can be cut.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};
use tt_fixture::postgres::Server;

pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl Way {
    /// Ends what goes over it, and refuses what wants to.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

/// A way on which every answer of the database takes this much longer.
pub(crate) async fn to_the_database(delay: Duration) -> Way {
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
                    () = carry(near, delay) => {}
                    _ = state.changed() => {}
                }
            });
        }
    });
    Way { address, open }
}

async fn carry(near: TcpStream, delay: Duration) {
    near.set_nodelay(true).unwrap();
    let far = UnixStream::connect(Server::shared().socket()).await.unwrap();
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let back = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = far_in.read(&mut bytes).await {
            tokio::time::sleep(delay).await;
            if near_out.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
        () = back => {}
    }
}
