use crate::outbound::Networks;

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
}
