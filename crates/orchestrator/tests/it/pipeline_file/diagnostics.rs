//! Every class of mistake gives the messages that stand in the goldens. Each file under
//! `fixtures/pipelines/errors` holds mistakes of one class, and its golden what is said of them.

use es_assets::{Diagnostic, DiagnosticKind, Diagnostics};

use super::{FLIGHTS, fixture, parse};

/// A diagnostic as a terminal would show it: the line, the caret, the key path, the help.
fn drawn(diagnostics: &Diagnostics) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let Diagnostic { kind, message, key_path, location, label, help } = diagnostic;
        let line = diagnostics.source_text().lines().nth(location.line - 1).unwrap_or_default();
        let underlined = &diagnostics.source_text()[location.range.clone()];
        let width = underlined.lines().next().unwrap_or_default().chars().count().max(1);
        text.push_str(&format!("{}:{}: {kind:?}: {message}\n", location.line, location.column));
        text.push_str(&format!("    | {line}\n"));
        let label = label.as_deref().unwrap_or_default();
        text.push_str(&format!("    | {}{} {label}\n", " ".repeat(location.column - 1), "^".repeat(width)));
        if !key_path.is_empty() {
            text.push_str(&format!("    at {key_path}\n"));
        }
        if let Some(help) = help {
            text.push_str(&format!("    help: {help}\n"));
        }
        text.push('\n');
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn errors(name: &str, environment: Option<&str>) -> Diagnostics {
    let file = format!("{name}.yaml");
    parse(&file, &fixture(&format!("errors/{file}")), environment).err().unwrap_or_else(|| panic!("{name} is accepted"))
}

#[test]
fn every_class_of_mistake_has_its_golden() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pipelines/errors");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() > 20, "{names:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in names {
        let drawn = drawn(&errors(&name, None));
        settings.bind(|| insta::assert_snapshot!(name, drawn));
    }
}

#[test]
fn an_unknown_environment_is_a_mistake_among_the_others() {
    let near = parse("flights.yaml", FLIGHTS, Some("dve")).unwrap_err();
    assert_eq!(
        drawn(&near).lines().collect::<Vec<_>>(),
        [
            "77:1: UnknownReference: unknown environment `dve`",
            "    | environments:",
            "    | ^^^^^^^^^^^^",
            "    at environments",
            "    help: did you mean `dev`?",
        ]
    );
    let among = errors("cycle", Some("prod"));
    assert_eq!(among.len(), 3);
    let unknown = among.iter().find(|one| one.kind == DiagnosticKind::UnknownReference).unwrap();
    assert_eq!(unknown.help.as_deref(), Some("the file has no environments: add `environments: { prod: { .. } }`"));
}

#[test]
fn secrets_are_never_shown() {
    let diagnostics = errors("secrets", None);
    assert!(!diagnostics.source_text().contains("hunter2"), "{}", diagnostics.source_text());
    assert_eq!(diagnostics.source_text().len(), fixture("errors/secrets.yaml").len());
    assert!(!format!("{diagnostics}{diagnostics:?}").contains("hunter2"));
    let broken = "cluster:\n  password: hunter2\n  api_key: [\n";
    let diagnostics = parse("p.yaml", broken, None).unwrap_err();
    assert!(!format!("{diagnostics:?}").contains("hunter2"), "{diagnostics:?}");
}

#[test]
fn the_plain_form_is_a_line_a_problem() {
    let text = errors("version", None).to_string();
    assert_eq!(
        text,
        "version.yaml:1:10: version 2 of the format is not supported (at version); this program reads version 1"
    );
    assert_eq!(errors("references", None).to_string().lines().count(), errors("references", None).len());
}

#[test]
fn ranges_are_inside_the_text_and_in_order() {
    for name in ["unknown_keys", "wrong_types", "unions", "aliases", "empty_assets"] {
        let diagnostics = errors(name, None);
        let starts: Vec<usize> = diagnostics.iter().map(|one| one.location.range.start).collect();
        assert!(starts.is_sorted(), "{name}");
        for one in &diagnostics {
            assert!(diagnostics.source_text().get(one.location.range.clone()).is_some(), "{name}: {one:?}");
        }
    }
}
