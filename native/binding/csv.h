#pragma once

#include <napi.h>

namespace millrace::binding {

/// scanPlainRecords(bytes, from, to, delimiter, isCrLf, recordBytesMax, kinds, result): see native/csv.ts.
Napi::Value scan_plain(const Napi::CallbackInfo&);

/// scanPlainRecordsAhead(bytes, to, delimiter, isCrLf, recordBytesMax, kinds): a promise of { end, count }.
Napi::Value scan_plain_ahead(const Napi::CallbackInfo&);

/// readCsvRecords(bytes, delimiter, columns, rows): see native/csv.ts.
Napi::Value read_csv(const Napi::CallbackInfo&);

}  // namespace millrace::binding
