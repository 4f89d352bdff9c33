use crate::outbound::{Authorities, Networks};

/// Where messages of webhooks may go.
#[derive(Debug, Clone, clap::Args)]
pub struct WebhookSettings {
    /// Addresses and networks that webhooks may lead to although they are not public, between commas; to these, plain
    /// http will do. For tests and for receivers on one's own network
    #[arg(
        id = "webhook-allow",
        long = "webhook-allow",
        env = "WEBHOOK_ALLOW",
        value_name = "NETWORKS",
        default_value = ""
    )]
    pub(crate) allow: Networks,

    /// A file of certificate authorities, in PEM, whom receivers of webhooks may have their certificates from besides those
    /// whom browsers know. Read when the service starts
    #[arg(
        id = "webhook-authorities",
        long = "webhook-authorities",
        env = "WEBHOOK_AUTHORITIES",
        value_name = "FILE"
    )]
    pub(crate) authorities: Option<Authorities>,
}
