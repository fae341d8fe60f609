// What perf_analyzer takes from glibc 2.38 and libstdc++ 13, for systems that have older ones.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ios>
#include <string>

// libstdc++ 13 sets up std::cout by itself, older ones when a program asks.
static const std::ios_base::Init init;

extern "C" {

// C23 reads binary integers, too; nothing else has changed.
long __isoc23_strtol(const char* text, char** end, int base) { return strtol(text, end, base); }
long long __isoc23_strtoll(const char* text, char** end, int base) { return strtoll(text, end, base); }
unsigned long __isoc23_strtoul(const char* text, char** end, int base) { return strtoul(text, end, base); }
unsigned long long __isoc23_strtoull(const char* text, char** end, int base) { return strtoull(text, end, base); }

int __isoc23_sscanf(const char* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int read = vsscanf(text, format, arguments);
  va_end(arguments);
  return read;
}

// std::string::_M_replace_cold: puts `source`, which may lie in the string itself, in the place of `old_length` characters
// before `tail_length` others; the string is long enough already.
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(
    void*, char* place, size_t old_length, const char* source, size_t length, size_t tail_length) {
  const std::string kept(source, length);
  memmove(place + length, place + old_length, tail_length);
  memcpy(place, kept.data(), length);
}
}
