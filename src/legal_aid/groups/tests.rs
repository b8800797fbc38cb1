use std::sync::Arc;

use chrono::TimeZone;
use uuid::Uuid;

use super::*;
use crate::clock::ManualClock;
use crate::ids::{Ids, SeededEntropy};
use crate::platform::vault::{Cipher, KeyConfig, Keyring};

const BOUNDS: Bounds = Bounds { least: 10, few: 3, many: 5 };

fn vault() -> Vault {
    let start = Utc.with_ymd_and_hms(2025, 1, 1, 0, 0, 0).unwrap();
    let ids = Ids::new(Arc::new(ManualClock::at(start)), Arc::new(SeededEntropy::new(7)));
    let secret = "0123456789abcdef0123456789abcdef";
    let key = KeyConfig { id: "k1".into(), cipher: Cipher::Aes256Gcm, secret: secret.into() };
    Vault::new(Keyring::new(vec![key], "k1", secret.into()).unwrap(), ids)
}

fn named(count: u32, representatives: u32) -> Vec<Naming> {
    (0..count)
        .map(|n| Naming {
            id: Uuid::from_u128(u128::from(n)).into(),
            name: format!("工友{n}"),
            phone: format!("139{n:08}"),
            amount_fen: Some(100),
            representative: n < representatives,
        })
        .collect()
}

fn faults(others: &[Naming], own: Option<&str>) -> Vec<(String, &'static str)> {
    let vault = vault();
    let own = own.map(|phone| vault.blind_index(PHONE, phone));
    match check(BOUNDS, own.as_deref(), others, &vault) {
        Ok(phones) => {
            assert_eq!(phones.len(), others.len());
            Vec::new()
        }
        Err(error) => error.inner().faults.iter().map(|fault| (fault.pointer.clone(), fault.code)).collect(),
    }
}

#[test]
fn ten_with_the_applicant_are_a_group_and_three_to_five_represent_it() {
    for representatives in 2..=4 {
        assert_eq!(faults(&named(9, representatives), None), [], "{representatives} beside the applicant");
    }
    let at = |code| ("/members".to_owned(), code);
    assert_eq!(faults(&named(8, 2), None), [at("too_few")]);
    assert_eq!(faults(&named(9, 1), None), [at("representatives")]);
    assert_eq!(faults(&named(9, 5), None), [at("representatives")]);
    assert_eq!(faults(&named(0, 0), None), [at("too_few"), at("representatives")]);
}

#[test]
fn every_wrong_number_is_named() {
    let mut others = named(12, 3);
    others[1].phone = "1380013800".into();
    others[4].phone = "+86 139 0000 0003".into();
    let wrong = faults(&others, Some("13900000007"));
    let at = |place: usize, code| (format!("/members/{place}/phone"), code);
    assert_eq!(wrong, [at(1, "phone"), at(4, "duplicate"), at(7, "own")]);
}

#[test]
fn fewer_than_a_group_are_whoever_asked() {
    assert_eq!((size(10, 0), size(10, 9), size(10, 10), size(10, 41)), (1, 1, 10, 41));
}
