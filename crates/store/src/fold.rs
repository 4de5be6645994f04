//! Comparing names without regard to case.

/// The form of a name under which it must be unique: upper-cased, then lower-cased, by Unicode's full mappings and
/// without regard to the locale. So “ÄB” equals “äb”, and “Straße” equals “STRASSE”; accents still matter.
pub fn fold_name(name: &str) -> String {
    name.trim().to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_does_not_matter_accents_do() {
        for (left, right) in [
            ("web", "WEB"),
            ("ÄB", "äb"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("οδοσ", "οδος"),
            ("Éa", "éA"),
        ] {
            assert_eq!(fold_name(left), fold_name(right), "{left} {right}");
        }
        assert_ne!(fold_name("ab"), fold_name("äb"));
        assert_ne!(fold_name("web"), fold_name("web 2"));
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(name in "\\PC{0,40}") {
            let once = fold_name(&name);
            // A few letters (such as ŉ) unfold to several; one more pass must then be stable.
            let twice = fold_name(&once);
            prop_assert_eq!(fold_name(&twice), twice);
        }
        #[test]
        fn both_cases_are_equal_in_ascii(name in "[a-zA-Z0-9 ._-]{0,40}") {
            prop_assert_eq!(fold_name(&name.to_uppercase()), fold_name(&name.to_lowercase()));
        }
    }
}
