/* json.h: as much of a JSON reader as a plugin needs, over bytes that somebody else owns.
 *
 * A message is held against the grammar once, as a whole (json_message). After that a value is the
 * piece of the message that spells it, and is looked into by walking over that piece: nothing is
 * copied, nothing is allocated. A piece of a message is valid JSON, so it may be put into an answer
 * as it is.
 *
 * The grammar is RFC 8259, all of it: UTF-8, escapes and surrogates are checked. Depth is limited,
 * because checking is recursive. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Deeper messages are refused. Those of wavegate are not half as deep. */
#define JSON_DEPTH_MAX 128

/* A value, or what is left of it to read. */
typedef struct json {
  const char *at;
  const char *end;
} json;

static void json_space(json *in) {
  while (in->at < in->end &&
         (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) {
    in->at++;
  }
}

/* Moves behind `byte`, if that comes next. */
static bool json_take(json *in, char byte) {
  bool is_next = in->at < in->end && *in->at == byte;
  in->at += is_next;
  return is_next;
}

static bool json_word(json *in, const char *word) {
  size_t length = strlen(word);
  bool is_next = (size_t)(in->end - in->at) >= length && memcmp(in->at, word, length) == 0;
  in->at += is_next ? length : 0;
  return is_next;
}

static bool json_digits(json *in) {
  const char *start = in->at;
  while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
    in->at++;
  }
  return in->at > start;
}

static bool json_number(json *in) {
  json_take(in, '-');
  if (!json_take(in, '0') && !json_digits(in)) {
    return false;
  }
  if (json_take(in, '.') && !json_digits(in)) {
    return false;
  }
  if (json_take(in, 'e') || json_take(in, 'E')) {
    if (!json_take(in, '+')) {
      json_take(in, '-');
    }
    return json_digits(in);
  }
  return true;
}

/* The four digits of a \u escape. */
static bool json_hex4(json *in, uint32_t *unit) {
  if (in->end - in->at < 4) {
    return false;
  }
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    char digit = *in->at++;
    uint32_t value = digit >= '0' && digit <= '9'   ? (uint32_t)(digit - '0')
                     : digit >= 'a' && digit <= 'f' ? (uint32_t)(digit - 'a') + 10
                     : digit >= 'A' && digit <= 'F' ? (uint32_t)(digit - 'A') + 10
                                                    : 16;
    if (value == 16) {
      return false;
    }
    *unit = *unit << 4 | value;
  }
  return true;
}

/* What stands behind a backslash. */
static bool json_escape(json *in, uint32_t *point) {
  static const char short_forms[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) {
    return false;
  }
  char form = *in->at++;
  if (form != 'u') {
    const char *found = form == '\0' ? NULL : strchr(short_forms, form);
    *point = found == NULL ? 0 : (uint32_t)meanings[found - short_forms];
    return found != NULL;
  }
  uint32_t low;
  if (!json_hex4(in, point)) {
    return false;
  }
  if (*point < 0xD800 || *point > 0xDFFF) {
    return true;
  }
  bool is_pair = *point < 0xDC00 && json_word(in, "\\u") && json_hex4(in, &low) && low >= 0xDC00 &&
                 low <= 0xDFFF;
  *point = is_pair ? 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00) : 0;
  return is_pair;
}

/* A character of more than one byte, in the shortest form that UTF-8 has for it. */
static bool json_utf8(json *in, uint32_t *point) {
  unsigned char lead = (unsigned char)*in->at;
  int more = lead >= 0xC2 && lead <= 0xDF   ? 1
             : lead >= 0xE0 && lead <= 0xEF ? 2
             : lead >= 0xF0 && lead <= 0xF4 ? 3
                                            : 0;
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  if (more == 0 || in->end - in->at <= more) {
    return false;
  }
  *point = lead & (0x3Fu >> more);
  in->at++;
  for (int i = 0; i < more; i++) {
    unsigned char byte = (unsigned char)*in->at++;
    if ((byte & 0xC0) != 0x80) {
      return false;
    }
    *point = *point << 6 | (byte & 0x3Fu);
  }
  return *point >= least[more] && *point <= 0x10FFFF && (*point < 0xD800 || *point > 0xDFFF);
}

/* Moves behind one character of a string and tells which it is. */
static bool json_char(json *in, uint32_t *point) {
  if (in->at == in->end || (unsigned char)*in->at < 0x20) {
    return false;
  }
  if (json_take(in, '\\')) {
    return json_escape(in, point);
  }
  if ((unsigned char)*in->at >= 0x80) {
    return json_utf8(in, point);
  }
  *point = (uint32_t)*in->at++;
  return true;
}

static bool json_string(json *in) {
  uint32_t point;
  if (!json_take(in, '"')) {
    return false;
  }
  while (!json_take(in, '"')) {
    if (!json_char(in, &point)) {
      return false;
    }
  }
  return true;
}

static bool json_value(json *in, int depth);

/* What an object or an array has between its brackets. */
static bool json_list(json *in, char close, int depth) {
  json_space(in);
  if (json_take(in, close)) {
    return true;
  }
  do {
    json_space(in);
    if (close == '}') {
      if (!json_string(in)) {
        return false;
      }
      json_space(in);
      if (!json_take(in, ':')) {
        return false;
      }
    }
    if (!json_value(in, depth)) {
      return false;
    }
    json_space(in);
  } while (json_take(in, ','));
  return json_take(in, close);
}

/* Moves behind one value. */
static bool json_value(json *in, int depth) {
  json_space(in);
  if (in->at == in->end || depth == JSON_DEPTH_MAX) {
    return false;
  }
  switch (*in->at) {
  case '{':
    in->at++;
    return json_list(in, '}', depth + 1);
  case '[':
    in->at++;
    return json_list(in, ']', depth + 1);
  case '"':
    return json_string(in);
  case 't':
    return json_word(in, "true");
  case 'f':
    return json_word(in, "false");
  case 'n':
    return json_word(in, "null");
  default:
    return json_number(in);
  }
}

/* The one value that a message is. */
static bool json_message(const void *bytes, size_t length, json *value) {
  if (length == 0) {
    return false;
  }
  json in = {bytes, (const char *)bytes + length};
  if (!json_value(&in, 0)) {
    return false;
  }
  value->end = in.at;
  json_space(&in);
  bool is_all = in.at == in.end;
  in.at = bytes;
  json_space(&in);
  value->at = in.at;
  return is_all;
}

static bool json_is_object(json value) {
  return value.at < value.end && *value.at == '{';
}

/* The next member of an object, of which `rest` is what was not read yet: at first all of it. */
static bool json_next(json *rest, json *name, json *value) {
  if (!json_take(rest, '{') && !json_take(rest, ',')) {
    return false;
  }
  json_space(rest);
  name->at = rest->at;
  if (!json_string(rest)) {
    return false;
  }
  name->end = rest->at;
  json_space(rest);
  json_take(rest, ':');
  json_space(rest);
  value->at = rest->at;
  if (!json_value(rest, 0)) {
    return false;
  }
  value->end = rest->at;
  json_space(rest);
  return true;
}

/* Whether a value is this string, however it is escaped. `ascii` is. */
static bool json_is(json value, const char *ascii) {
  uint32_t point;
  if (!json_take(&value, '"')) {
    return false;
  }
  for (; *ascii != '\0'; ascii++) {
    if (!json_char(&value, &point) || point != (uint32_t)*ascii) {
      return false;
    }
  }
  return json_take(&value, '"') && value.at == value.end;
}

/* A member of an object by its name; of two with one name, the last. */
static bool json_member(json object, const char *name, json *value) {
  json found_name, found;
  bool is_there = false;
  while (json_next(&object, &found_name, &found)) {
    if (json_is(found_name, name)) {
      *value = found;
      is_there = true;
    }
  }
  return is_there;
}

/* A whole number that is not negative, written as one: 10, but not 1e1 or 10.0. */
static bool json_uint(json value, uint64_t *number) {
  *number = 0;
  for (; value.at < value.end; value.at++) {
    if (*value.at < '0' || *value.at > '9') {
      return false;
    }
    uint64_t digit = (uint64_t)(*value.at - '0');
    if (*number > (UINT64_MAX - digit) / 10) {
      return false;
    }
    *number = *number * 10 + digit;
  }
  return true;
}

#endif /* JSON_H */
