//! The scripts that make shells ask: each hands the words up to the cursor to the hidden
//! command `__complete`, and offers the lines that it prints.

use clap::ValueEnum;

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Also with `source <(xctl completion bash)` in ~/.bashrc
    Bash,
    /// With `source <(xctl completion zsh)` in ~/.zshrc
    Zsh,
    /// With `xctl completion fish | source` in config.fish
    Fish,
}

const BASH: &str = r#"_xctl() {
    local IFS=$'\n' words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=($(compgen -W "$(PROGRAM __complete -- "${words[@]}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _xctl xctl
"#;

const ZSH: &str = r#"#compdef xctl
_xctl() {
    local -a offered
    offered=("${(@f)$(PROGRAM __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n ${offered[1]} ]]; then compadd -Q -- $offered; else _files; fi
}
if [[ $funcstack[1] == _xctl ]]; then _xctl; else compdef _xctl xctl; fi
"#;

const FISH: &str = r"function __xctl_offer
    set -l words (commandline -opc) (commandline -ct)
    PROGRAM __complete -- $words[2..-1] 2>/dev/null
end
complete -c xctl -f -a '(__xctl_offer)'
complete -c xctl -s f -l filename -r -F
";

impl Shell {
    /// As they are typed.
    pub(super) const NAMES: [&'static str; 3] = ["bash", "zsh", "fish"];

    /// The script, for a program that is run by this word.
    pub(crate) fn script(self, program: &str) -> String {
        let script = match self {
            Self::Bash => BASH,
            Self::Zsh => ZSH,
            Self::Fish => FISH,
        };
        script.replace("PROGRAM", &quoted(program))
    }
}

/// As one word of any of the shells.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
