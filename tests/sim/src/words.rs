//! Stories in words: the arguments that replay one, and the files that keep those that once broke
//! a law.

use std::fmt::Write as _;
use std::path::Path;

use crate::run::Story;
use crate::weather::Class;

/// A story as the arguments that tell it again.
pub fn arguments(story: &Story) -> String {
    let mut text = format!("--seed {}", story.seed);
    let without: Vec<&str> = story.knobs.without.iter().map(|class| class.name()).collect();
    // Writing to a String cannot fail.
    if !without.is_empty() {
        let _ = write!(text, " --without {}", without.join(","));
    }
    for (class, halves) in &story.knobs.halved {
        let _ = write!(text, " --halve {}={halves}", class.name());
    }
    if let Some(functions) = story.knobs.functions {
        let _ = write!(text, " --functions {functions}");
    }
    text
}

/// The story that arguments tell, and the arguments that are none of it.
///
/// # Errors
/// What is wrong with them, in words.
pub fn story<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<(Option<u64>, Story, Vec<&'a str>), String> {
    let mut arguments = arguments.into_iter();
    let (mut seed, mut story, mut rest) = (None, Story::default(), Vec::new());
    while let Some(word) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{word} needs a value"));
        let class = |name: &str| Class::named(name).ok_or_else(|| format!("no class `{name}`"));
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("{word}: `{text}` is no number"));
        match word {
            "--seed" => seed = Some(number(value()?)?),
            "--without" => {
                for name in value()?.split(',') {
                    story.knobs.without.insert(class(name)?);
                }
            }
            "--only" => {
                let names = value()?.split(',').map(class).collect::<Result<Vec<_>, _>>()?;
                story.knobs.without.extend(Class::all().filter(|class| !names.contains(class)));
            }
            "--halve" => {
                let (name, halves) = value()?.split_once('=').ok_or("--halve wants CLASS=N")?;
                let halves = u32::try_from(number(halves)?).unwrap_or(64);
                story.knobs.halved.insert(class(name)?, halves.min(63));
            }
            "--functions" => {
                story.knobs.functions = usize::try_from(number(value()?)?).ok();
            }
            _ => rest.push(word),
        }
    }
    story.seed = seed.unwrap_or(0);
    Ok((seed, story, rest))
}

/// A story that once broke a law: its name, what was wrong, and the story.
#[derive(Debug)]
pub struct Regression {
    /// The file's name.
    pub name: String,
    /// The story.
    pub story: Story,
}

/// The stories that are kept: one a file, whose first line that is no comment is the arguments.
///
/// # Errors
/// A directory that cannot be read, or a file that tells no story.
pub fn regressions(directory: &Path) -> Result<Vec<Regression>, String> {
    let listed =
        std::fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut regressions = Vec::new();
    for entry in listed {
        let path = entry.map_err(|e| e.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
        let line = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
        let words = line.unwrap_or_default().split_whitespace();
        let (seed, story, rest) = story(words).map_err(|e| format!("{name}: {e}"))?;
        if seed.is_none() || !rest.is_empty() {
            return Err(format!("{name}: no seed, or more than a story: {line:?}"));
        }
        regressions.push(Regression { name, story });
    }
    regressions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(regressions)
}
