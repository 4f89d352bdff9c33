//! A way to the shared PostgreSQL over TCP that can be long, can be cut, and can lose what a pooler loses.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use crate::postgres::Server;

/// What the way does to what goes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terrain {
    /// Nothing.
    Plain,
    /// Every answer of the database takes this much longer.
    Long(Duration),
    /// The start-up packet loses its `options`, as with a pooler that ignores what it does not know.
    WithoutOptions,
}

/// A running way; it ends with the process.
#[derive(Debug)]
pub struct Way {
    /// Where it begins.
    pub address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
}

#[derive(Debug, Default)]
struct Traffic {
    is_cut: bool,
    lines: Vec<Weak<Line>>,
}

impl Way {
    /// A way to [`Server::shared`].
    pub fn to_the_database(terrain: Terrain) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let shared = Arc::clone(&traffic);
        thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                let mut traffic = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if !traffic.is_cut {
                    traffic.lines.push(Line::open(near, terrain));
                }
            }
        });
        Self { address, traffic }
    }

    /// Ends what goes over it, and refuses what wants to.
    pub fn cut(&self) {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.is_cut = true;
        for line in traffic.lines.drain(..) {
            if let Some(line) = line.upgrade() {
                line.end();
            }
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).is_cut = false;
    }
}

/// One connection; it goes when neither direction carries anything any more.
#[derive(Debug)]
struct Line {
    near: TcpStream,
    far: UnixStream,
}

impl Line {
    fn open(near: TcpStream, terrain: Terrain) -> Weak<Self> {
        near.set_nodelay(true).unwrap();
        let far = UnixStream::connect(Server::shared().socket()).unwrap();
        let line = Arc::new(Self { near, far });
        let (there, back) = (Arc::clone(&line), Arc::clone(&line));
        thread::spawn(move || {
            if terrain == Terrain::WithoutOptions {
                there.start_without_options();
            }
            there.carry(&there.near, &there.far, Duration::ZERO);
            // Who was spoken to may hang up first; then there is nothing left to shut.
            drop(there.far.shutdown(Shutdown::Write));
        });
        let delay = match terrain {
            Terrain::Long(delay) => delay,
            Terrain::Plain | Terrain::WithoutOptions => Duration::ZERO,
        };
        thread::spawn(move || {
            back.carry(&back.far, &back.near, delay);
            drop(back.near.shutdown(Shutdown::Write));
        });
        Arc::downgrade(&line)
    }

    fn carry(&self, mut from: impl Read, mut to: impl Write, delay: Duration) {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            // The length of the way is what a test is about.
            thread::sleep(delay);
            if to.write_all(&bytes[..length]).is_err() {
                self.end();
            }
        }
    }

    fn end(&self) {
        drop(self.near.shutdown(Shutdown::Both));
        drop(self.far.shutdown(Shutdown::Both));
    }

    fn start_without_options(&self) {
        let mut length = [0; 4];
        (&self.near).read_exact(&mut length).unwrap();
        let mut packet = vec![0; u32::from_be_bytes(length) as usize - 4];
        (&self.near).read_exact(&mut packet).unwrap();
        let packet = without_options(&packet);
        let length = u32::try_from(packet.len()).unwrap() + 4;
        (&self.far).write_all(&length.to_be_bytes()).unwrap();
        (&self.far).write_all(&packet).unwrap();
    }
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
