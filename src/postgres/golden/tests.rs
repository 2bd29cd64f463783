use super::*;

fn golden() -> Golden {
    Golden::new("shop_template").expect("a name")
}

fn run(digit: char) -> Run {
    Run::parse(&digit.to_string().repeat(16)).expect("a word")
}

fn seen(comment: &str) -> Seen {
    Seen {
        comment: comment.into(),
        is_own: true,
        accepts: true,
        is_template: false,
        limit: -1,
    }
}

fn closed(comment: &str) -> Seen {
    Seen {
        accepts: false,
        is_template: true,
        ..seen(comment)
    }
}

fn step(database: Option<&Seen>, next: Option<&Seen>) -> Result<Step, String> {
    next_step(&golden(), database, next, &run('a'), "towpath")
}

#[test]
fn a_name_leaves_room_for_those_of_the_parts() {
    let longest = "n".repeat(57);
    for name in ["shop", "_shop_2", &longest] {
        let golden = Golden::new(name).expect(name);
        assert_eq!(golden.database().as_str(), name);
        assert_eq!(golden.group.as_str(), format!("{name}_group"));
    }
    for name in ["", "Shop", "2shop", "shop-a", "a b", "ü", &"n".repeat(58)] {
        let why = Golden::new(name).expect_err(name);
        assert!(why.contains("must have 1 to 57"), "{why}");
    }
}

#[test]
fn a_run_is_read_as_it_is_written() {
    let one = Run::random();
    assert_eq!(Run::parse(&format!("{one}\n")), Ok(one.clone()));
    assert_ne!(Run::random(), one);
    for wrong in ["", "a", "A000000000000000", "00000000000000000"] {
        assert!(Run::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn only_the_comment_of_the_same_part_counts() {
    let own = |comment: &str, part| seen(comment).is_ours(part);
    assert!(own("towpath golden database", Part::Database));
    assert!(own("towpath golden database run=1", Part::Database));
    assert!(own("towpath golden old", Part::Old));
    for (comment, part) in [
        ("", Part::Database),
        ("", Part::Next),
        ("", Part::Old),
        ("towpath golden databases", Part::Database),
        ("a towpath golden database", Part::Database),
        ("towpath golden database run=1", Part::Next),
        ("towpath golden next", Part::Database),
        ("towpath golden next", Part::Old),
        ("somebody's", Part::Next),
    ] {
        assert!(!own(comment, part), "{comment:?} {part:?}");
    }
    let anothers = Seen {
        is_own: false,
        ..seen("towpath golden database")
    };
    assert!(!anothers.is_ours(Part::Database));
}

#[test]
fn what_a_crash_left_without_a_comment_is_known_by_all_its_signs() {
    let left = Seen {
        accepts: false,
        limit: UNFINISHED,
        ..seen("")
    };
    assert!(left.is_ours(Part::Next) && !left.is_ours(Part::Old) && !left.is_ours(Part::Database));
    for other in [
        Seen {
            is_own: false,
            ..left.clone()
        },
        Seen {
            accepts: true,
            ..left.clone()
        },
        Seen {
            is_template: true,
            ..left.clone()
        },
        Seen { limit: -1, ..left },
    ] {
        assert!(!other.is_ours(Part::Next), "{other:?}");
    }
}

#[test]
fn what_was_filled_in_is_checked_then_put_into_place_and_then_cleaned_up() {
    let (mine, present) = (
        format!("towpath golden next run={}", run('a')),
        "towpath golden database run=b",
    );
    let (open, shut, present) = (seen(&mine), closed(&mine), closed(present));
    let done = closed(&format!(
        "towpath golden database run={} refreshed=x",
        run('a')
    ));
    for (database, next, wanted) in [
        (None, Some(&open), Step::Check),
        (Some(&present), Some(&open), Step::Check),
        (None, Some(&shut), Step::Exchange),
        (Some(&present), Some(&shut), Step::Exchange),
        (Some(&done), None, Step::CleanUp),
        // Another run has begun meanwhile: its own is not touched.
        (Some(&done), Some(&open), Step::CleanUp),
    ] {
        assert_eq!(step(database, next), Ok(wanted), "{database:?} {next:?}");
    }
}

#[test]
fn who_was_overtaken_puts_nothing_into_place() {
    let anothers = seen(&format!("towpath golden next run={}", run('b')));
    let mine = format!("towpath golden next run={}", run('a'));
    // Another run has begun to drop it.
    let going = Seen {
        accepts: false,
        ..seen(&mine)
    };
    let not_own = Seen {
        is_own: false,
        ..closed(&mine)
    };
    for next in [None, Some(&anothers), Some(&going), Some(&not_own)] {
        let why = step(None, next).expect_err("overtaken");
        assert!(why.contains("another run has begun anew"), "{why}");
    }
}

#[test]
fn what_was_made_by_hand_is_replaced_only_when_it_is_handed_over() {
    let next = closed(&format!("towpath golden next run={}", run('a')));
    let why = step(Some(&closed("")), Some(&next)).expect_err("by hand");
    let comment = r#": COMMENT ON DATABASE "shop_template" IS 'towpath golden database'"#;
    assert!(
        why.contains("must be handed over") && why.ends_with(comment),
        "{why}"
    );
    let anothers = Seen {
        is_own: false,
        ..closed("towpath golden database")
    };
    let why = step(Some(&anothers), Some(&next)).expect_err("another's");
    let give = r#": ALTER DATABASE "shop_template" OWNER TO "towpath"; COMMENT ON"#;
    assert!(why.contains(give), "{why}");
    let handed = closed("towpath golden database");
    assert_eq!(step(Some(&handed), Some(&next)), Ok(Step::Exchange));
}
