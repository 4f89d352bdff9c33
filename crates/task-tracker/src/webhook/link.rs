//! Where messages go, as owners write it.

use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use crate::{outbound::Unreachable, problem::Problem, webhook::Webhooks};

/// Longer ones are not typed by anybody, and logged by nobody.
const LONGEST: usize = 2000;
/// One answer for whatever is wrong with an address: which names there are inside, and where they lead, is not for
/// whoever can write a URL.
const REFUSED: &str = "a webhook's URL is https, has no login in it, and leads to a public address";

/// Text that may be a URL; whether it is one, and a good one, takes a look at where it leads.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 2000)]
pub(super) struct Link(String);

impl TryFrom<String> for Link {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if (1..=LONGEST).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err("a URL has 1 to 2000 characters")
        }
    }
}

impl Link {
    /// In one spelling, once it is known where it leads. Looked at again before each connection, since names move.
    pub(super) async fn followed(&self, webhooks: &Webhooks) -> Result<String, Problem> {
        let url = Url::parse(&self.0).map_err(|_| Problem::Rule(REFUSED))?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        if has_login || !matches!(url.scheme(), "http" | "https") || url.as_str().len() > 2 * LONGEST {
            return Err(Problem::Rule(REFUSED));
        }
        match webhooks.reach.addresses(&url).await {
            Ok(_) => Ok(url.into()),
            Err(Unreachable::NoHost | Unreachable::Unresolved(_) | Unreachable::NotPublic | Unreachable::NotSealed) => {
                Err(Problem::Rule(REFUSED))
            }
        }
    }
}
