//! docs/ARCHITECTURE.md names each limit with its figure and its constant; here is seen that the sources
//! have these figures. Nothing is known here of what a limit is for.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// By name: the expressions that constants of this name have, one for each file that has one.
type Constants = BTreeMap<String, Vec<String>>;

fn constants_in(folder: &Path, constants: &mut Constants) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            constants_in(&path, constants);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for line in read_to_string(&path).unwrap().lines() {
                let constant = line.trim_end_matches(';').split_once("const ");
                let declared = constant.and_then(|(_, rest)| rest.split_once(": "));
                if let Some((name, (_, expression))) =
                    declared.and_then(|(name, rest)| Some((name, rest.split_once(" = ")?)))
                {
                    let expressions = constants.entry(name.to_owned()).or_default();
                    expressions.push(expression.to_owned());
                }
            }
        }
    }
}

/// `64 * 1024`, `OUTBOX_BYTES_MAX / 2`, `Duration::from_millis(20)`: as a number, times in milliseconds.
fn value(expression: &str, constants: &Constants) -> Option<u64> {
    let call = expression.trim_end_matches(')');
    if let Some(seconds) = call.strip_prefix("Duration::from_secs(") {
        return Some(value(seconds, constants)? * 1000);
    }
    let expression = call.strip_prefix("Duration::from_millis(").unwrap_or(call);
    let mut words = expression.split(' ');
    let mut operand = || {
        let word = words.next()?;
        let known = constants
            .get(word)
            .and_then(|all| value(&all[0], constants));
        let number = known.or_else(|| word.replace('_', "").parse().ok());
        Some((number, words.next()))
    };
    let (first, mut operator) = operand()?;
    let mut total = first?;
    while let Some(sign) = operator {
        let (next, after) = operand()?;
        total = match sign {
            "*" => total * next?,
            "/" => total / next?,
            "-" => total - next?,
            "<<" => total << next?,
            _ => return None,
        };
        operator = after;
    }
    Some(total)
}

/// `32 KiB, 64 KiB` and the like, in the same units; what begins with no figure is left out.
fn figures(cell: &str) -> Vec<u64> {
    let figure = |piece: &str| {
        let mut words = piece.trim().split(' ');
        let number: u64 = words.next()?.replace(',', "").parse().ok()?;
        Some(match words.next() {
            Some("KiB") => number << 10,
            Some("MiB") => number << 20,
            Some("s") => number * 1000,
            Some(_) | None => number,
        })
    };
    cell.split(", ").filter_map(figure).collect()
}

#[test]
fn every_limit_is_as_large_as_the_page_says() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut constants = Constants::new();
    constants_in(&top.join("src"), &mut constants);
    let text = read_to_string(top.join("docs/ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("\n## Limits\n").unwrap();
    let mut compared = 0;
    for row in section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
    {
        let cells: Vec<_> = row.split('|').collect();
        let quoted = cells[3].split('`').skip(1).step_by(2);
        let names = quoted.filter(|word| word.chars().all(|c| c == '_' || c.is_uppercase()));
        let names: Vec<_> = names.collect();
        let figures = figures(cells[2]);
        for (at, &name) in names.iter().enumerate() {
            // One figure may be that of several constants.
            let figure = figures.get(at).or(figures.first()).copied();
            let all = constants.get(name).map_or(&[][..], Vec::as_slice);
            let values: Vec<_> = all.iter().map(|one| value(one, &constants)).collect();
            assert!(
                figure.is_some() && values.contains(&figure),
                "`{name}` is {all:?} in src, which is not what this row of \"Limits\" says (its figure is said \
                 on other pages, too: search docs for it):\n{row}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} constants were compared");
}
