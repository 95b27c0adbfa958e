//! `engine/PRESETS.md`: generated, so that it cannot differ from the presets.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::http::{Preset, ScoreDirection};
use super::{PRESETS, preset_defaults};

/// What the page takes from a contract.
#[derive(Deserialize)]
struct Contract {
    engine: String,
    versions: String,
    documentation: String,
    origin: String,
    request: Request,
}

#[derive(Deserialize)]
struct Request {
    method: String,
}

const HEAD: &str = "\
# Presets of the `http` stage

A preset knows the requests and answers of a search engine, so that a stage needs little more than a URL:

```toml
stages = [{ kind = \"http\", preset = \"elasticsearch\", url = \"http://127.0.0.1:9200\", parameters = { index = \"shop\" } }]
```

Every key of the stage that is written replaces what the preset says: `body`, `ids`, `scores`, ... A URL with a path of its own
keeps it. `rematch probe URL --preset NAME` tries one, `rematch doctor` and `rematch search` use it. Scores of which lower ones
are better are recorded with their sign changed.

Each preset is tested against a contract (`src/benchmark/stages/http_presets/contracts/`): the request that must be sent, and
answers with what must be read from them. The last column says where the answers come from.

This page is generated: `REMATCH_BLESS=1 cargo test --workspace --lib the_presets_page` renews it.
";

fn name(preset: Preset) -> String {
    serde_json::to_value(preset).ok().and_then(|name| Some(name.as_str()?.to_owned())).expect("a name")
}

fn contract(preset: Preset) -> Contract {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/benchmark/stages/http_presets/contracts");
    let text = std::fs::read(folder.join(name(preset) + ".json")).expect("a contract");
    serde_json::from_slice(&text).expect("a contract")
}

fn code(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| format!("`{}`", text.replace('|', "\\|")))
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "\n| preset | engine | request | answers |\n|---|---|---|---|\n";
    let engines = || PRESETS.into_iter().filter(|preset| *preset != Preset::Generic);
    for preset in engines() {
        let (defaults, contract) = (preset_defaults(preset), contract(preset));
        let _ = writeln!(
            page,
            "| `{}` | [{}]({}) {} | {} {} | {} |",
            name(preset),
            contract.engine,
            contract.documentation,
            contract.versions,
            contract.request.method,
            code(defaults.path),
            contract.origin,
        );
    }
    page += "| `generic` | any other | what the stage says | - |\n";
    for preset in engines() {
        section(&mut page, preset).expect("writing to a string cannot fail");
    }
    page
}

fn section(page: &mut String, preset: Preset) -> std::fmt::Result {
    let defaults = preset_defaults(preset);
    writeln!(page, "\n## {}\n", name(preset))?;
    let direction = match defaults.score_direction {
        ScoreDirection::Higher => "higher is better",
        ScoreDirection::Lower => "lower is better",
    };
    writeln!(page, "- ids {}, scores {} ({direction})", code(defaults.ids), code(defaults.scores))?;
    writeln!(page, "- error {}", code(defaults.error))?;
    for (timing, path, unit) in defaults.timings {
        let unit = serde_json::to_value(unit).expect("a unit");
        writeln!(page, "- timing `{timing}`: {} ({})", code(Some(path)), unit.as_str().unwrap_or_default())?;
    }
    for parameter in defaults.parameters {
        let default = match parameter.default {
            None => "must be given".to_owned(),
            Some(text) => format!("`{text}`"),
        };
        writeln!(page, "- parameter `{}` ({default}): {}", parameter.name, parameter.description)?;
    }
    if let Some(query) = defaults.query {
        writeln!(page, "\n```jinja\n?{query}\n```")?;
    }
    if let Some(body) = defaults.body {
        writeln!(page, "\n```jinja\n{body}\n```")?;
    }
    Ok(())
}

#[test]
fn the_presets_page_is_what_the_presets_say() {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("PRESETS.md");
    let page = page();
    if std::env::var_os("REMATCH_BLESS").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == page, "`{}` is out of date; REMATCH_BLESS=1 renews it", path.display());
}

#[test]
fn every_preset_says_what_it_must_and_its_parameters_are_json() {
    for preset in PRESETS.into_iter().filter(|preset| *preset != Preset::Generic) {
        let defaults = preset_defaults(preset);
        assert!(defaults.path.is_some() && defaults.ids.is_some() && defaults.error.is_some(), "{preset:?}");
        let templates = [defaults.path, defaults.query, defaults.body].into_iter().flatten().collect::<String>();
        for parameter in defaults.parameters {
            assert!(templates.contains(&format!("parameters.{}", parameter.name)), "{preset:?}: {}", parameter.name);
            let default: Option<serde_json::Value> =
                parameter.default.map(|text| serde_json::from_str(text).expect("JSON"));
            assert!(default.is_some() || parameter.default.is_none());
        }
    }
}
