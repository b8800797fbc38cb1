use super::*;
use crate::org::model::OrganisationKind as Kind;

fn organisation(
    code: &str,
    kind: Kind,
    parent: Option<&Organisation>,
    street: Option<&Organisation>,
) -> Organisation {
    let number = code.bytes().fold(7_u128, |sum, byte| sum * 31 + u128::from(byte));
    Organisation {
        id: OrganisationId(uuid::Uuid::from_u128(number)),
        code: code.into(),
        name: code.into(),
        short_name: code.into(),
        kind,
        parent_id: parent.map(|one| one.id),
        path: format!("{}{code}/", parent.map_or("/", |one| one.path.as_str())),
        street_id: street.map(|one| one.id),
        division_code: None,
        level: None,
        opened_on: chrono::NaiveDate::MIN,
        closed_on: None,
        version: 1,
    }
}

/// A district with two departments, a sub-district, an enterprise union, a station, an industry union, a direct union.
fn tree() -> Vec<Organisation> {
    let district = organisation("longgang", Kind::District, None, None);
    let street = organisation("street", Kind::SubDistrict, Some(&district), None);
    let mut street = street;
    street.street_id = Some(street.id);
    let made = [
        organisation("dept-a", Kind::Department, Some(&district), None),
        organisation("dept-b", Kind::Department, Some(&district), None),
        organisation("unit", Kind::EnterpriseUnion, Some(&street), Some(&street)),
        organisation("station", Kind::Station, Some(&street), Some(&street)),
        organisation("riders", Kind::IndustryUnion, Some(&district), None),
        organisation("direct", Kind::DirectUnion, Some(&district), None),
    ];
    let mut all = vec![district, street];
    all.extend(made);
    all
}

fn step(name: &str, level: StepLevel) -> Step {
    Step {
        name: name.into(),
        level,
        departments: Vec::new(),
        from_fen: None,
        clock: "review.stage.unit".into(),
        employer_barred: false,
    }
}

/// Unit, sub-district, two departments from 3,000 yuan on, district.
fn long() -> Definition {
    let mut joint = step("together", StepLevel::Departments);
    joint.departments = vec!["dept-a".into(), "dept-b".into()];
    joint.from_fen = Some(300_000);
    let steps = vec![
        step("unit", StepLevel::Unit),
        step("street", StepLevel::Street),
        joint,
        step("district", StepLevel::District),
    ];
    Definition { steps, form: Vec::new() }
}

fn short() -> Definition {
    Definition {
        steps: vec![step("unit", StepLevel::Unit), step("street", StepLevel::Street)],
        form: Vec::new(),
    }
}

/// The steps of somebody at `workplace`: number, body, and why it is left out.
fn planned(definition: &Definition, workplace: Option<&str>, amount: Option<i64>) -> Vec<String> {
    let all = tree();
    let workplace = workplace.map(|code| all.iter().find(|one| one.code == code).unwrap());
    let bodies = Bodies::of(workplace, &all);
    let code = |id: OrganisationId| all.iter().find(|one| one.id == id).unwrap().code.clone();
    let told = |one: Planned| {
        let body = one.body.map_or("-".to_owned(), code);
        let why = one.skipped.map(|why| format!(" {why}")).unwrap_or_default();
        format!("{} {body}{why}", one.number)
    };
    plan(definition, &bodies, amount).unwrap().into_iter().map(told).collect()
}

#[test]
fn the_bodies_are_those_above_the_applicant() {
    let small = Some(299_999);
    assert_eq!(planned(&long(), Some("unit"), small), ["1 unit", "2 street", "3 - amount", "4 longgang"]);
    assert_eq!(
        planned(&long(), Some("station"), small),
        ["1 - no_body", "2 street", "3 - amount", "4 longgang"]
    );
    assert_eq!(
        planned(&long(), Some("direct"), small),
        ["1 direct", "2 - no_body", "3 - amount", "4 longgang"]
    );
    assert_eq!(
        planned(&long(), Some("riders"), small),
        ["1 riders", "2 - no_body", "3 - amount", "4 longgang"]
    );
    assert_eq!(
        planned(&long(), Some("longgang"), small),
        ["1 - no_body", "2 - no_body", "3 - amount", "4 longgang"]
    );
    assert_eq!(planned(&long(), None, None), ["1 - no_body", "2 - no_body", "3 - amount", "4 longgang"]);
}

#[test]
fn from_the_amount_on_every_department_signs() {
    for amount in [300_000, 10_000_000_000] {
        let steps = planned(&long(), Some("unit"), Some(amount));
        assert_eq!(steps, ["1 unit", "2 street", "3 dept-a", "3 dept-b", "4 longgang"]);
    }
}

#[test]
fn somebody_always_decides() {
    // What is left falls to the district where neither unit nor sub-district is above somebody.
    assert_eq!(planned(&short(), None, None), ["1 - no_body", "2 longgang"]);
    assert_eq!(planned(&short(), Some("dept-a"), None), ["1 - no_body", "2 longgang"]);
    assert_eq!(planned(&short(), Some("riders"), None), ["1 riders", "2 - no_body"]);
    assert!(plan(&short(), &Bodies::default(), None).is_err(), "without a district there is nobody");
}

#[test]
fn a_body_that_comes_again_decides_once() {
    let mut twice = long();
    twice.steps.push(step("street again", StepLevel::Street));
    assert_eq!(
        planned(&twice, Some("unit"), None),
        ["1 unit", "2 street same_body", "3 - amount", "4 longgang", "5 street"]
    );
}

#[test]
fn what_is_wrong_with_a_chain_is_said() {
    let faults = |change: &dyn Fn(&mut Definition)| {
        let mut chain = long();
        change(&mut chain);
        chain.faults().len()
    };
    assert_eq!(faults(&|_| {}), 0);
    assert_eq!(faults(&|chain| chain.steps.clear()), 2, "none at all, and none for every amount");
    assert_eq!(faults(&|chain| chain.steps[0].departments = vec!["dept-a".into()]), 1);
    assert_eq!(faults(&|chain| chain.steps[2].departments.clear()), 1);
    assert_eq!(faults(&|chain| chain.steps[2].from_fen = Some(-1)), 1);
    assert_eq!(faults(&|chain| chain.steps.iter_mut().for_each(|step| step.from_fen = Some(1))), 1);
    let field = |key: &str, kind| FormField {
        key: key.into(),
        label: key.into(),
        kind,
        required: false,
        choices: Vec::new(),
    };
    assert_eq!(
        faults(&|chain| chain.form = vec![field("a", FieldKind::Text), field("a", FieldKind::Day)]),
        1
    );
    assert_eq!(faults(&|chain| chain.form = vec![field("a", FieldKind::Choice)]), 1);
}

#[test]
fn answers_are_what_their_fields_take() {
    let field = |kind: FieldKind| FormField {
        key: "it".into(),
        label: "it".into(),
        kind,
        required: true,
        choices: if kind == FieldKind::Choice { vec!["专升本".into()] } else { Vec::new() },
    };
    let file = "fil_01k5b8m3q2e9t8h6y1v7z4w0xn";
    let (ten, nine) = ([file; 10].join(","), [file; 9].join(", "));
    let long = "字".repeat(1001);
    for (kind, fine, wrong) in [
        (FieldKind::Text, vec!["无", &long[..3000]], vec!["", "  ", long.as_str()]),
        (FieldKind::Choice, vec!["专升本"], vec!["高起专", ""]),
        (FieldKind::Day, vec!["2025-06-30"], vec!["2025-6-30", "2025-02-30", "yesterday", "12025-06-30"]),
        (
            FieldKind::Amount,
            vec!["0", "10000000000"],
            vec!["-1", "10000000001", "1.5", "一百", "99999999999999999999"],
        ),
        (FieldKind::Declaration, vec!["yes"], vec!["no", "Yes", ""]),
        (
            FieldKind::Files,
            vec![file, nine.as_str()],
            vec![ten.as_str(), "x", "fil_", ",", "act_01k5b8m3q2e9t8h6y1v7z4w0xn"],
        ),
    ] {
        let form = [field(kind)];
        let said =
            |answer: &str| check(&form, &Answers::from([("it".to_owned(), answer.to_owned())]), None).is_ok();
        for answer in fine {
            assert!(said(answer), "{kind}: {answer}");
        }
        for answer in wrong {
            assert!(!said(answer), "{kind}: {answer}");
        }
    }
}

#[test]
fn only_what_is_asked_for_is_taken() {
    let field = |key: &str, required| FormField {
        key: key.into(),
        label: key.into(),
        kind: FieldKind::Text,
        required,
        choices: Vec::new(),
    };
    let form = [field("a", true), field("b", false), field("c", true)];
    let answers =
        |keys: &[&str]| -> Answers { keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect() };
    assert!(check(&form, &answers(&["a", "c"]), None).is_ok());
    assert!(check(&form, &answers(&["a"]), None).is_err());
    assert!(check(&form, &answers(&["a", "c", "d"]), None).is_err());
    // A supplement brings every field that was named, also one that was not needed before, and no other.
    let only = ["b".to_owned()];
    assert!(check(&form, &answers(&["b"]), Some(&only)).is_ok());
    assert!(check(&form, &answers(&[]), Some(&only)).is_err());
    assert!(check(&form, &answers(&["a", "b"]), Some(&only)).is_err());
}

#[test]
fn what_departments_lead_all_of_them_sign() {
    let led = Definition { steps: vec![step("together", StepLevel::Leads)], form: Vec::new() };
    let all = tree();
    let workplace = all.iter().find(|one| one.code == "unit");
    let signs = |leads: &[&str]| {
        let bodies = Bodies {
            leads: leads.iter().map(|code| (*code).to_owned()).collect(),
            ..Bodies::of(workplace, &all)
        };
        let code = |id: OrganisationId| all.iter().find(|one| one.id == id).unwrap().code.clone();
        let planned = plan(&led, &bodies, None).unwrap();
        planned.into_iter().map(|one| (one.number, one.body.map(code), one.skipped)).collect::<Vec<_>>()
    };
    let by = |code: &str| (1, Some(code.to_owned()), None);
    assert_eq!(signs(&["dept-a", "dept-b"]), [by("dept-a"), by("dept-b")]);
    assert_eq!(signs(&["dept-a"]), [by("dept-a")]);
    // A department that is closed signs nothing; where none is left, or none is named, the district decides.
    assert_eq!(signs(&["dept-a", "dept-gone"]), [by("dept-a"), (1, None, Some(Skipped::NoBody))]);
    assert_eq!(signs(&["dept-gone"]), [by("longgang")]);
    assert_eq!(signs(&[]), [by("longgang")]);
    let amount = FormField {
        key: "cost".into(),
        label: String::new(),
        kind: FieldKind::Amount,
        required: false,
        choices: Vec::new(),
    };
    let mixed = Definition { form: vec![amount], ..led };
    assert_eq!(mixed.faults(), ["lead departments and an amount do not stand in one chain"]);
}
