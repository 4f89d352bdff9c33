//! Where a request may go. Asked before the connection, and the connection is to the addresses that were given as the answer.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use url::{Host, Url};

use crate::outbound::network::{Networks, is_public};

/// The system's resolver may take its time over a name that nobody answers for.
const RESOLVE: Duration = Duration::from_secs(3);

/// Which addresses may be talked to.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// Of the operator's own choice: the bucket, the endpoint of credentials.
    Trusted,
    /// Of a user's choice: public addresses by https, and what the operator allows besides, by http too.
    Public { besides: Networks },
}

/// Why an address is not talked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("the URL has no host or another scheme than http and https")]
    NoHost,
    #[error("the name cannot be resolved")]
    Unresolved(#[source] io::Error),
    #[error("it leads to an address that is not public")]
    NotPublic,
    #[error("it is not https")]
    NotSealed,
}

impl Reach {
    /// Where a URL leads. One address that may not be talked to spoils all: a name that has both is no honest one.
    pub(crate) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Unreachable> {
        let addresses = resolve(url).await?;
        for address in &addresses {
            self.judge(url.scheme(), address.ip())?;
        }
        Ok(addresses)
    }

    fn judge(&self, scheme: &str, address: IpAddr) -> Result<(), Unreachable> {
        let Self::Public { besides } = self else {
            return Ok(());
        };
        match (besides.contain(address), is_public(address), scheme) {
            (true, ..) | (false, true, "https") => Ok(()),
            (false, true, _) => Err(Unreachable::NotSealed),
            (false, false, _) => Err(Unreachable::NotPublic),
        }
    }
}

async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, Unreachable> {
    let port = url.port_or_known_default().ok_or(Unreachable::NoHost)?;
    let addresses = match url.host().ok_or(Unreachable::NoHost)? {
        Host::Ipv4(address) => vec![SocketAddr::new(address.into(), port)],
        Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(address).to_canonical(), port)],
        Host::Domain(name) => {
            let found = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((name, port)))
                .await
                .map_err(|_| Unreachable::Unresolved(io::Error::from(io::ErrorKind::TimedOut)))?
                .map_err(Unreachable::Unresolved)?;
            found
                .map(|address| SocketAddr::new(address.ip().to_canonical(), port))
                .collect()
        }
    };
    if addresses.is_empty() {
        return Err(Unreachable::Unresolved(io::Error::from(io::ErrorKind::NotFound)));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(url: &str, besides: &str) -> &'static str {
        let reach = Reach::Public {
            besides: besides.parse().unwrap(),
        };
        match reach.addresses(&Url::parse(url).unwrap()).await {
            Ok(_) => "reached",
            Err(Unreachable::NoHost) => "no host",
            Err(Unreachable::Unresolved(_)) => "unresolved",
            Err(Unreachable::NotPublic) => "not public",
            Err(Unreachable::NotSealed) => "not sealed",
        }
    }

    /// However the address is spelled: the URL parser has made it one of three kinds of host by then.
    #[tokio::test]
    async fn a_users_url_leads_to_the_public_internet_or_nowhere() {
        for (url, expected) in [
            ("https://8.8.8.8/hook", "reached"),
            ("http://8.8.8.8/hook", "not sealed"),
            ("https://127.0.0.1/", "not public"),
            ("https://2130706433/", "not public"),
            ("https://0x7f.1/", "not public"),
            ("https://0177.0.0.1/", "not public"),
            ("https://127.1:8443/", "not public"),
            ("https://[::1]/", "not public"),
            ("https://[::ffff:169.254.169.254]/latest/meta-data", "not public"),
            ("http://169.254.169.254/latest/meta-data", "not public"),
            ("https://localhost/", "not public"),
            ("ftp://8.8.8.8/", "not sealed"),
            ("mailto:ann@example.com", "no host"),
        ] {
            assert_eq!(outcome(url, "").await, expected, "{url}");
        }
    }

    #[tokio::test]
    async fn what_the_operator_allows_is_reached_without_tls_too() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/", "reached"),
            ("https://127.0.0.1/", "reached"),
            ("http://127.0.0.2/", "not public"),
            ("http://[::ffff:127.0.0.1]/", "reached"),
        ] {
            assert_eq!(outcome(url, "127.0.0.1").await, expected, "{url}");
        }
    }
}
