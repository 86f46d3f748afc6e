//! Commands of the AWS CLI, ready to be pasted: what comes from outside is quoted.

/// A text as one word of a shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `aws lambda OPERATION --OPTION VALUE ...`.
pub(super) fn lambda(operation: &str, options: &[(&str, &str)]) -> String {
    let words = options.iter().map(|(option, value)| format!("--{option} {}", word(value)));
    let words: Vec<String> =
        std::iter::once(format!("aws lambda {operation}")).chain(words).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_leaves_its_word() {
        assert_eq!(word("arn:aws:sqs:eu-west-1:1:q"), "arn:aws:sqs:eu-west-1:1:q");
        assert_eq!(word("$(rm -rf /)"), "'$(rm -rf /)'");
        assert_eq!(word("a'b"), r"'a'\''b'");
        assert_eq!(word(""), "''");
        assert_eq!(
            lambda("x", &[("a", "1"), ("b", "$LATEST")]),
            "aws lambda x --a 1 --b '$LATEST'"
        );
    }
}
