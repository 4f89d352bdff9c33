//! Which passwords would be guessed quickly.
//!
//! Two looks, since each sees what the other does not. The first guesses of published lists, as many as OWASP ASVS 5.0 asks
//! for (6.2.4: 3,000 that our own rule of length lets through), taken from the 10 million of `SecLists` (MIT) in the order
//! of how often they were found: a quarter of them are odd words that nothing but a list knows. And an estimate (`zxcvbn`) of how
//! many guesses a password takes that is made of such, of names and words, dates, keys in a row, or what this person is called.

use zxcvbn::{Score, zxcvbn};

const FIRST: &str = include_str!("first_guesses.txt");

/// What people take who think of us.
const OURS: [&str; 4] = ["task-tracker", "tasktracker", "task", "tracker"];

/// Whether a password is on the list, or takes fewer than 10^8 guesses of somebody who knows `own`: e-mail address and name.
pub(super) fn is_guessable(password: &str, own: &[&str]) -> bool {
    let folded = password.to_lowercase();
    if FIRST.lines().any(|guess| guess == folded) {
        return true;
    }
    let parts = own
        .iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    let boxes = own.iter().filter_map(|text| text.split_once('@')).map(|(name, _)| name);
    let known: Vec<&str> = own
        .iter()
        .copied()
        .chain(boxes)
        .chain(parts)
        .filter(|word| word.chars().count() > 2)
        .chain(OURS)
        .collect();
    zxcvbn(password, &known).score() < Score::Three
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_holds_what_our_rule_of_length_lets_through() {
        let guesses: Vec<&str> = FIRST.lines().collect();
        assert_eq!(guesses.len(), 3000);
        assert!(guesses.is_sorted_by(|one, next| one < next));
        assert!(
            guesses
                .iter()
                .all(|guess| guess.chars().count() >= 10 && *guess == guess.to_lowercase())
        );
    }

    #[test]
    fn what_is_guessed_first_is_known() {
        for password in [
            // From the top of the list.
            "qwertyuiop",
            "1q2w3e4r5t",
            "q1w2e3r4t5y6",
            "basketball",
            "manchester",
            // Known to the list alone.
            "yfcnhjtybt",
            "mailcreated5240",
            "MailCreated5240",
            // Made of such.
            "Password123",
            "p@ssw0rd2024",
            "qwertyuiop123",
            "iloveyou2026",
            "aaaaaaaaaaaa",
            "abcabcabcabcabc",
            "zxcvbnm,./",
            "1999-12-31",
            // What these people are called, and we.
            "Ann.Miller@Example.com",
            "ann.miller",
            "millermiller",
            "Miller1985",
            "tasktracker1",
            "task-tracker",
        ] {
            assert!(
                is_guessable(password, &["ann.miller@example.com", "Ann Miller"]),
                "{password}"
            );
        }
    }

    #[test]
    fn several_words_or_what_a_machine_made_will_do() {
        for password in [
            "correct horse battery",
            crate::seed::PASSWORD,
            "größenwahn ist gut",
            "Tr7#kq9!vBx2",
            "0198f2a4-7c11-7e3a-b0d2-5f6c8e9a1b3d",
            &"long enough for anybody ".repeat(8),
        ] {
            assert!(
                !is_guessable(password, &["ann.miller@example.com", "Ann Miller"]),
                "{password}"
            );
        }
    }
}
