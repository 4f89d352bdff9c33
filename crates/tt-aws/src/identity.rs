//! Who the credentials belong to.

use tt_environment::AccountId;
use tt_execute::{PortError, PortErrorKind};
use tt_plan::Caller;

use crate::{
    clients::Clients,
    error::{absent, failed, other},
};

const ACTION: &str = "ask AWS whose credentials these are";

pub(crate) async fn caller(clients: &Clients) -> Result<Caller, PortError> {
    let identity = clients.sts.get_caller_identity().send().await.map_err(failed(ACTION))?;
    let account = identity.account().ok_or_else(|| absent(ACTION, "account"))?;
    let account =
        AccountId::parse(account).map_err(|error| other(ACTION, PortErrorKind::Unexpected, error.to_string()))?;
    let arn = identity.arn().ok_or_else(|| absent(ACTION, "ARN"))?.to_owned();
    Ok(Caller { account, arn })
}
