//! The sides of cases by keyed hashes: who stands where is found without opening a file.

use super::model::{Party, Side, WHO};
use crate::error::Result;
use crate::ids::CaseId;
use crate::platform::db::Conn;
use crate::platform::db::schema::legal_parties;
use crate::platform::vault::{Vault, normalise};

/// Keeps that `text` (a name, a code, an id) is a side of a case; once, however often it is said.
pub fn record_in_tx(conn: &mut Conn, vault: &Vault, case: CaseId, side: Side, text: &str) -> Result<()> {
    let row = Party { case_id: case, side, who: index(vault, side, text) };
    let rows = std::slice::from_ref(&row);
    crate::insert_new!(conn, legal_parties::table, rows, legal_parties::side => |row: &Party| row.side)?;
    Ok(())
}

/// What a side is found by. The same name gives the same hash on whichever side it stands, so that whoever was one side of a case is
/// found as the other side of another.
pub fn index(vault: &Vault, side: Side, text: &str) -> Vec<u8> {
    let name = match side {
        Side::Applicant | Side::Employer => spoken(text),
        // A licence: signs are part of it.
        Side::Lawyer => text.to_owned(),
    };
    vault.blind_index(WHO, &name)
}

/// A name without the signs that people write or leave out: brackets around a town, points, quotation marks.
fn spoken(text: &str) -> String {
    normalise(text).chars().filter(|sign| sign.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_bracketed() {
        let written = ["龙岗示例（平湖）电子厂", "龙岗示例(平湖) 电子厂", "“龙岗示例平湖电子厂”"];
        for name in written {
            assert_eq!(spoken(name), "龙岗示例平湖电子厂");
        }
        assert_eq!(spoken("9144 0300 ma5ejk4n1q"), "91440300MA5EJK4N1Q");
        assert_ne!(spoken("龙岗示例电子一厂"), spoken("龙岗示例电子二厂"));
    }
}
