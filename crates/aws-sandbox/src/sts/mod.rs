//! AWS Security Token Service: who is calling. Every access key belongs to the one account the sandbox plays.

#[cfg(test)]
mod tests;

use crate::front::call::{Call, Reply};
use crate::wire::{QueryError, answer};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(crate) fn reply(call: &Call) -> Reply {
    match call.operation.as_str() {
        "GetCallerIdentity" => answer(call, NAMESPACE, |xml| {
            xml.text("Arn", format!("arn:aws:iam::{}:user/{}", call.account, USER));
            // The id of a user begins with AIDA (AWS IAM User Guide, "IAM identifiers").
            xml.text("UserId", "AIDASANDBOXSANDBOXSA");
            xml.text("Account", &call.account);
        }),
        _ => QueryError::unknown_operation(call).reply(call, NAMESPACE),
    }
}

/// The one user of the account.
const USER: &str = "sandbox";
