//! Addresses of this machine that no other test uses meanwhile, in this process or in another.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    process,
    sync::atomic::{AtomicU8, Ordering},
};

/// 127.N.0.1 with N from here on; the sandbox's own tests stay below.
const FIRST: u8 = 221;
const COUNT: u8 = 30;
/// What a sandbox listens at: its API, and its load balancer's two listeners.
const PORTS: [u16; 3] = [4566, 8080, 8081];
/// Held for as long as the address is claimed; nobody else uses it.
const GUARD: u16 = 4565;

/// 127.N.0.1, ours until dropped.
pub(crate) struct Address {
    ip: Ipv4Addr,
    _guard: TcpListener,
}

impl Address {
    pub(crate) fn claim() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let somewhere = u8::try_from(process::id() % u32::from(COUNT)).unwrap();
        for _ in 0..COUNT {
            let offset = (u16::from(somewhere) + u16::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u16::from(COUNT);
            let ip = Ipv4Addr::new(127, FIRST + u8::try_from(offset).unwrap(), 0, 1);
            let Ok(guard) = TcpListener::bind(SocketAddrV4::new(ip, GUARD)) else {
                continue;
            };
            let free = |port: &u16| TcpListener::bind(SocketAddrV4::new(ip, *port)).is_ok();
            if PORTS.iter().all(free) {
                return Self { ip, _guard: guard };
            }
        }
        panic!("no address of 127.{FIRST}.0.1 and the {COUNT} after it is free");
    }

    pub(crate) fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}
