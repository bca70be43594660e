"""One file an archive: a folder to records of patients, exams, scans and findings."""
