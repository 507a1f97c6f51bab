//! Reasons not to trust runs, each told once. What is said here is not decided here: `epollo bench` does.

use epollo::report::Report;

use super::tell;

/// A reason with how often it was given.
#[derive(Debug)]
pub(crate) struct Doubt {
    reason: String,
    names: Vec<String>,
    count: usize,
}

/// Counts reasons, given with who gave them. Those that differ in their figures only are one reason.
pub(crate) fn count(reasons: impl IntoIterator<Item = (String, String)>) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for (name, reason) in reasons {
        match doubts
            .iter_mut()
            .find(|known| kind(&known.reason) == kind(&reason))
        {
            Some(doubt) => {
                doubt.count += 1;
                if !doubt.names.contains(&name) {
                    doubt.names.push(name);
                }
            }
            None => doubts.push(Doubt {
                reason,
                names: vec![name],
                count: 1,
            }),
        }
    }
    doubts
}

/// The words of a reason, up to where it gives an example.
fn kind(reason: &str) -> String {
    let words = reason.split(", most of it").next().unwrap_or(reason);
    words.chars().filter(|c| !c.is_ascii_digit()).collect()
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.names.join(", ");
        let runs = if self.count == 1 { "run" } else { "runs" };
        write!(f, "in {} {runs} of {names}: {}", self.count, self.reason)
    }
}

/// Tells those of many runs, each given with the name of its server.
pub(crate) fn tell_all<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Report)>) {
    let reasons = runs.into_iter().flat_map(|(name, run)| {
        run.warnings
            .iter()
            .map(|reason| (name.to_owned(), reason.clone()))
    });
    for doubt in count(reasons) {
        tell(&format!("not to be trusted: {doubt}"));
    }
}
