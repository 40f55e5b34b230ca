//! Files that spreadsheet programs' libraries wrote (openpyxl, xlwt): what is read of them is what
//! calamine reads.

use std::fs;
use std::path::Path;

use tollgate::sheet::{Format, Refused, rows};
use tollgate_fuzz::by_calamine;

#[test]
fn workbooks_of_other_programs_read_as_calamine_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api/files");
    let (mut alike, mut refused) = (0, 0);
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        let file = fs::read(&path).expect("a file");
        let xlsx = path.extension().is_some_and(|it| it == "xlsx");
        match rows(if xlsx { Format::Xlsx } else { Format::Xls }, &file) {
            Ok(rows) => {
                let theirs = if xlsx {
                    by_calamine::<calamine::Xlsx<_>>(&file)
                } else {
                    by_calamine::<calamine::Xls<_>>(&file)
                };
                let differing = rows.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
                assert_eq!(differing, None, "{}", path.display());
                assert_eq!(rows.len(), theirs.len(), "{}", path.display());
                alike += 1;
            }
            Err(Refused::Formula(_)) if path.file_stem().is_some_and(|it| it == "formula") => {
                refused += 1
            }
            Err(other) => panic!("{}: {other}", path.display()),
        }
    }
    assert_eq!((alike, refused), (4, 2));
}
