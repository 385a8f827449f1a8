//go:build slow

package build

// sameRecords is the number of records that TestFormatsGiveTheSameWindows writes.
const sameRecords = 10_000
