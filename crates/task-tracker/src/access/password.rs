//! Passwords: which are accepted, and the slow hash that is kept of one.
//!
//! A hash takes 19 MiB and tens of milliseconds of a core on purpose (argon2id with the crate's defaults, which are those
//! of the OWASP Password Storage Cheat Sheet), so they are counted: a flood of logins must not take the memory or the
//! cores that everybody else's requests need.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::{access::guessable::is_guessable, problem::Problem};

/// Longer than this in the queue, and the client is better told to come back.
const PATIENCE: Duration = Duration::from_secs(3);

const GUESSABLE: &str = "this password is quickly guessed: it is on lists of leaked ones, or made of such, of what you are called, dates or keys in \
     a row; take several unrelated words, or let a password manager make one";

/// A password as a client sent it: 1 to 200 characters.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, min_length = 1, max_length = 200)]
pub(crate) struct Password(SecretString);

/// A password that is to be one: 10 to 200 characters.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(try_from = "Password")]
#[schema(value_type = String, format = Password, min_length = 10, max_length = 200)]
pub(crate) struct NewPassword(Password);

impl TryFrom<Password> for NewPassword {
    type Error = &'static str;

    fn try_from(password: Password) -> Result<Self, Self::Error> {
        if password.0.expose_secret().chars().count() < 10 {
            Err("a password has at least 10 characters")
        } else {
            Ok(Self(password))
        }
    }
}

impl NewPassword {
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Password::try_from(text.to_owned()).and_then(Self::try_from).ok()
    }
}

/// Hashes and verifies, a few at a time.
#[derive(Clone)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
}

/// Whether a password was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
}

impl TryFrom<String> for Password {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.chars().count() {
            0 => Err("a password must not be empty"),
            1..=200 => Ok(Self(SecretString::from(text))),
            _ => Err("a password has at most 200 characters"),
        }
    }
}

impl Passwords {
    /// As many at a time as there are cores.
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            places: Arc::new(Semaphore::new(cores)),
        }
    }

    /// The text to keep of a password that somebody chose, if it is not quickly guessed; `own` is what they are called. Kinds of
    /// characters do not count (OWASP ASVS 5.0, 6.2.5).
    pub(crate) async fn accept<const N: usize>(
        &self,
        password: NewPassword,
        own: [String; N],
    ) -> Result<String, Problem> {
        let judged = move || {
            let own = own.each_ref().map(String::as_str);
            if is_guessable(password.0.0.expose_secret(), &own) {
                return Err(Problem::Rule(GUESSABLE));
            }
            hash(&password.0)
        };
        self.work(judged).await?
    }

    /// The text to keep of a password that nobody chose.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, Problem> {
        self.work(move || hash(&password.0)).await?
    }

    /// Takes as long for a user who does not exist (no hash) as for one who does.
    pub(crate) async fn verify(&self, password: Password, hash: Option<String>) -> Result<Verdict, Problem> {
        self.work(move || verify(&password, hash.as_deref())).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| Problem::Busy)?
            .map_err(|_| Problem::Busy)?;
        // A client that hangs up does not stop a hash that has begun, so the place is given back by the hash.
        let hashing = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        hashing.await.map_err(|_| Problem::Internal)
    }
}

fn hash(password: &Password) -> Result<String, Problem> {
    Argon2::default()
        .hash_password(password.0.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|cause| {
            tracing::error!(%cause, "could not hash a password");
            Problem::Internal
        })
}

/// What a password is compared with when there is no user: made up, with the parameters of every other hash.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmUhIQ$Tm9ib2R5J3MgcGFzc3dvcmQgaXMgbGlrZSB0aGlzLi4";

fn verify(password: &Password, kept: Option<&str>) -> Verdict {
    let compared = PasswordHash::new(kept.unwrap_or(NOBODY)).ok();
    let fits = compared.is_some_and(|compared| {
        Argon2::default()
            .verify_password(password.0.expose_secret().as_bytes(), &compared)
            .is_ok()
    });
    if fits && kept.is_some() {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::try_from(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn long_passwords_will_do_whatever_they_are_made_of() {
        let passwords = Passwords::new();
        for (text, accepted) in [
            ("correct horse battery", true),
            ("größenwahn ist gut", true),
            ("short", false),
            ("Password123", false),
            ("Ann@Example.com", false),
            (&"x".repeat(201), false),
            ("", false),
        ] {
            let outcome = match NewPassword::from_text(text) {
                Some(password) => passwords.accept(password, ["ann@example.com".into()]).await.is_ok(),
                None => false,
            };
            assert_eq!(outcome, accepted, "{text}");
        }
    }

    #[test]
    fn nobody_takes_as_long_as_anybody() {
        let fresh = hash(&password("correct horse battery")).unwrap();
        let cost = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cost(NOBODY), cost(&fresh));
        assert!(PasswordHash::new(NOBODY).is_ok());
    }

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_only() {
        let passwords = Passwords::new();
        let kept = passwords
            .hash(NewPassword::from_text("correct horse battery").unwrap())
            .await
            .unwrap();
        assert!(kept.starts_with("$argon2id$") && !kept.contains("horse"));
        for (text, hash, verdict) in [
            ("correct horse battery", Some(kept.clone()), Verdict::Right),
            ("correct horse bat", Some(kept), Verdict::Wrong),
            ("nobody", None, Verdict::Wrong),
            ("correct horse battery", Some("not a hash".into()), Verdict::Wrong),
        ] {
            assert_eq!(passwords.verify(password(text), hash).await, Ok(verdict), "{text}");
        }
    }
}
