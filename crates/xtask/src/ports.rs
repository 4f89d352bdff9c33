//! The addresses that the local environment answers at, and whether somebody else already does.

use std::net::{SocketAddr, TcpListener};

use crate::failure::Failure;

/// Where the sandbox answers AWS calls.
pub(crate) const SANDBOX: &str = "127.0.0.1:4566";
/// Where users reach the service: the load balancer's production listener.
pub(crate) const SERVICE: &str = "127.0.0.1:8080";
/// Where smoke tests reach the next release: the load balancer's test listener.
const TEST: &str = "127.0.0.1:8081";

/// Fails when any of them is taken: said before five minutes of building rather than after.
pub(crate) fn must_be_free() -> Result<(), Failure> {
    let wanted = [
        (SANDBOX, "the sandbox answers there"),
        (SERVICE, "users reach the service there"),
        (TEST, "smoke tests reach the next release there"),
    ];
    wanted
        .into_iter()
        .try_for_each(|(address, purpose)| must_be_free_at(address, purpose))
}

fn must_be_free_at(address: &str, purpose: &'static str) -> Result<(), Failure> {
    let free = address
        .parse::<SocketAddr>()
        .is_ok_and(|address| TcpListener::bind(address).is_ok());
    if free {
        Ok(())
    } else {
        Err(Failure::Port {
            address: address.to_owned(),
            purpose,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = must_be_free_at(&address, "users reach the service there").unwrap_err();
        assert!(error.to_string().starts_with(&format!("{address} is taken")), "{error}");
    }
}
