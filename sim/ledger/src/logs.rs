//! Logs of native programs, in the format of a validator's virtual machine. Pure.
//!
//! `solana-program-test` runs a native program inside a builtin one, and both announce it; its stub for
//! cross-program calls announces the callee once more, at the caller's height.

/// A program that is running.
struct Frame<'a> {
    program: &'a str,
    /// How many times it was announced; it will take its leave as often.
    times: usize,
}

/// Leaves one line where the same event was announced several times over.
pub(crate) fn once_each(lines: Vec<String>) -> Vec<String> {
    let mut kept: Vec<&str> = Vec::with_capacity(lines.len());
    let mut running: Vec<Frame<'_>> = Vec::new();
    // The program that has just ended, the line it ended with, and how many more of these may follow.
    let mut ended: Option<(&str, usize)> = None;
    for line in &lines {
        if let Some((last, more)) = &mut ended
            && *more > 0
            && *last == line
        {
            *more -= 1;
            continue;
        }
        ended = None;
        match event(line) {
            Some((program, Event::Invoke)) => match running.last_mut() {
                Some(frame) if frame.program == program && kept.last().is_some_and(|last| is_invoke(last)) => {
                    frame.times += 1;
                    // The last announcement has the callee's height.
                    kept.pop();
                }
                _ => running.push(Frame { program, times: 1 }),
            },
            Some((program, Event::End)) => {
                if let Some(frame) = running.pop_if(|frame| frame.program == program) {
                    ended = Some((line, frame.times - 1));
                }
            }
            None => {}
        }
        kept.push(line);
    }
    kept.into_iter().map(str::to_owned).collect()
}

enum Event {
    Invoke,
    End,
}

fn event(line: &str) -> Option<(&str, Event)> {
    let (program, what) = line.strip_prefix("Program ")?.split_once(' ')?;
    match what {
        "success" => Some((program, Event::End)),
        what if what.starts_with("failed: ") => Some((program, Event::End)),
        what if what.starts_with("invoke [") => Some((program, Event::Invoke)),
        _ => None,
    }
}

fn is_invoke(line: &str) -> bool {
    matches!(event(line), Some((_, Event::Invoke)))
}

#[cfg(test)]
mod tests {
    use super::once_each;

    fn clean(lines: &[&str]) -> Vec<String> {
        once_each(lines.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_native_program_that_calls_another() {
        let lines = clean(&[
            "Program A invoke [1]",
            "Program A invoke [1]",
            "Program log: calling",
            "Program S invoke [1]",
            "Program S invoke [2]",
            "Program S success",
            "Program S success",
            "Program A success",
            "Program A success",
        ]);
        let expected = [
            "Program A invoke [1]",
            "Program log: calling",
            "Program S invoke [2]",
            "Program S success",
            "Program A success",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_native_program_that_fails() {
        let failed = "Program A failed: custom program error: 0x7";
        let lines = clean(&["Program A invoke [1]", "Program A invoke [1]", failed, failed]);
        assert_eq!(lines, ["Program A invoke [1]", failed]);
    }

    #[test]
    fn a_callee_that_fails_takes_its_caller_with_it() {
        let lines = clean(&[
            "Program A invoke [1]",
            "Program A invoke [1]",
            "Program S invoke [1]",
            "Program S invoke [2]",
            "Program S failed: custom program error: 0x0",
            "Program A failed: custom program error: 0x0",
            "Program A failed: custom program error: 0x0",
        ]);
        let expected = [
            "Program A invoke [1]",
            "Program S invoke [2]",
            "Program S failed: custom program error: 0x0",
            "Program A failed: custom program error: 0x0",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_was_said_once_stays() {
        let lines = [
            "Program S invoke [1]",
            "Program S success",
            "Program S invoke [1]",
            "Program S success",
            "Program log: success",
            "Program log: success",
        ];
        assert_eq!(clean(&lines), lines);
    }
}
