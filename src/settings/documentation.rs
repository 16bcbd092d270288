//! Compares the table of settings with everything else that lists settings.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::table::{Bound, CHOICES, NUMBERS, TEXTS};
use super::*;

/// A secret that is long enough for `JWT_SECRET`.
const SECRET: &str = "01234567890123456789012345678901";

fn names() -> BTreeSet<String> {
    let numbers = NUMBERS.iter().map(|setting| setting.name);
    let choices = CHOICES.iter().map(|setting| setting.name);
    let texts = TEXTS.iter().map(|setting| setting.name);
    numbers
        .chain(choices)
        .chain(texts)
        .map(str::to_owned)
        .collect()
}

/// Fails unless `place` has exactly the settings of the table.
fn assert_complete(place: &str, found: &BTreeSet<String>) {
    let table = names();
    let missing: Vec<_> = table.difference(found).collect();
    let unknown: Vec<_> = found.difference(&table).collect();
    assert!(missing.is_empty(), "{place} lacks {missing:?}");
    assert!(
        unknown.is_empty(),
        "{place} has {unknown:?}, which src/settings/table.rs lacks"
    );
}

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names, numbers and other words of a text, without punctuation.
fn words(text: &str) -> Vec<String> {
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && !"_*-".contains(c);
    let words = text.split(is_separator).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn the_hub_reads_exactly_the_variables_of_the_table() {
    let asked = RefCell::new(BTreeSet::new());
    Settings::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        (name == "ACCESS").then(|| "open".to_owned())
    })
    .unwrap();
    assert_complete("Settings::read", &asked.into_inner());
}

#[test]
fn npm_run_serve_passes_on_exactly_the_settings_of_the_table() {
    let script = file("cli/serve/settings.mjs");
    let (_, list) = script.split_once("SETTINGS = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let listed: BTreeSet<String> = words(list).into_iter().collect();
    assert_complete("cli/serve/settings.mjs", &listed);
}

/// Each choice of the table has exactly the words and the default that its reader accepts.
#[test]
fn a_choice_accepts_exactly_its_words() {
    for choice in CHOICES {
        let read = |word: &str| {
            Settings::read(|name| match name {
                "JWT_SECRET" => Some(SECRET.to_owned()),
                _ => (name == choice.name).then(|| word.to_owned()),
            })
        };
        for word in choice.words {
            assert!(read(word).is_ok(), "{} is {word}", choice.name);
        }
        // The error lists all words that the reader accepts.
        let error = read("another word").unwrap_err();
        let expected: Vec<_> = words(&error.expected);
        let expected = expected.iter().filter(|word| *word != "or");
        assert!(expected.eq(choice.words), "{error}");
        let [unset, default] =
            ["", choice.default].map(|word| format!("{:?}", read(word).unwrap()));
        assert_eq!(unset, default, "{}", choice.name);
    }
}

/// The rows of docs/settings.md whose first cell is a setting. The cells have no backticks.
struct Rows(Vec<Vec<String>>);

impl Rows {
    fn read() -> Self {
        let text = file("docs/settings.md");
        let is_row = |line: &&str| line.starts_with("| `") && line.ends_with('|');
        let cells = |line: &str| {
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.replace('`', "").trim().to_owned())
                .collect()
        };
        let rows: Vec<Vec<String>> = text.lines().filter(is_row).map(cells).collect();
        let rows = rows.into_iter();
        let is_setting =
            |row: &Vec<String>| row[0].chars().all(|c| c.is_ascii_uppercase() || c == '_');
        Self(rows.filter(is_setting).collect())
    }

    fn of(&self, name: &str) -> &[String] {
        let found: Vec<_> = self.0.iter().filter(|row| row[0] == name).collect();
        assert_eq!(found.len(), 1, "rows of {name} in docs/settings.md");
        found[0]
    }
}

fn bound(bound: Bound) -> Vec<String> {
    match bound {
        Bound::Fixed(number) => vec![number.to_string()],
        Bound::Setting(other) => vec![other.name.to_owned()],
        Bound::Scaled { factor, of, plus } => {
            vec![factor.to_string(), of.name.to_owned(), plus.to_string()]
        }
    }
}

#[test]
fn the_documentation_has_a_row_for_each_setting_with_its_default_and_range() {
    let documented = Rows::read();
    let found: BTreeSet<String> = documented.0.iter().map(|row| row[0].clone()).collect();
    assert_complete("docs/settings.md", &found);
    for setting in NUMBERS {
        let row = documented.of(setting.name);
        assert_eq!(row[1], setting.default.to_string(), "{}", setting.name);
        let expected = [
            bound(setting.least),
            vec!["to".to_owned()],
            bound(setting.most),
        ];
        assert_eq!(words(&row[2]), expected.concat(), "{}", setting.name);
    }
    for setting in CHOICES {
        let row = documented.of(setting.name);
        assert_eq!(row[1], setting.default, "{}", setting.name);
        let range = words(&row[2]);
        for word in setting.words {
            assert!(
                range.iter().any(|known| known == word),
                "{}: {word}",
                setting.name
            );
        }
    }
    for setting in TEXTS {
        let row = documented.of(setting.name);
        assert_eq!(row[1], setting.default, "{}", setting.name);
    }
}
