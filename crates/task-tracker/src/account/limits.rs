//! How often somebody may try to log in or to register.
//!
//! Three counts, because one is either too tight or too loose: an attacker at one address guesses at one account, sprays
//! over many, or guesses at one account from many addresses. Only the last can keep the owner of an account out, so it is
//! the loosest.

use std::{net::IpAddr, time::Duration};

use crate::access::{address::network, secret::Fingerprint, throttle::Limit};

const AT_ONE_ACCOUNT_FROM_ONE_NETWORK: Limit = Limit {
    name: "logins",
    uses: 10,
    window: Duration::from_mins(15),
};
const FROM_ONE_NETWORK: Limit = Limit {
    name: "logins-network",
    uses: 300,
    window: Duration::from_mins(15),
};
const AT_ONE_ACCOUNT: Limit = Limit {
    name: "logins-account",
    uses: 100,
    window: Duration::from_hours(1),
};
const REGISTRATIONS: Limit = Limit {
    name: "registrations",
    uses: 300,
    window: Duration::from_hours(1),
};

/// What one try to log in uses up. The address is kept as a hash: these rows are no list of who has an account.
pub(super) fn of_login(email: &str, from: IpAddr) -> [(Limit, String); 3] {
    let (account, network) = (account(email), network(from));
    [
        (AT_ONE_ACCOUNT_FROM_ONE_NETWORK, format!("login/{account}/{network}")),
        (FROM_ONE_NETWORK, format!("login//{network}")),
        (AT_ONE_ACCOUNT, format!("login/{account}")),
    ]
}

/// What one registration uses up.
pub(super) fn of_registration(from: IpAddr) -> [(Limit, String); 1] {
    [(REGISTRATIONS, format!("register/{}", network(from)))]
}

/// What the password change of one user uses up: whoever holds a stolen session must not guess the password with it.
pub(super) fn of_password_change(user: uuid::Uuid) -> [(Limit, String); 1] {
    [(AT_ONE_ACCOUNT_FROM_ONE_NETWORK, format!("password/{user}"))]
}

/// What one try to take a new password for a secret uses up: nobody guesses 256 bits, but each try has a hash made, or asks.
pub(super) fn of_reset(from: IpAddr) -> [(Limit, String); 1] {
    [(FROM_ONE_NETWORK, format!("login//{}", network(from)))]
}

fn account(email: &str) -> String {
    hex::encode(Fingerprint::of(email).as_bytes())
}
