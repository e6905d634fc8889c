/**
 * A RECORD SHOP to try things on: artists, albums, tracks, customers and what they bought, after the
 * manner of the Chinook sample. Used by the tour and by the tests of import and export.
 *
 * (1) The same statements every time: names, prices and dates come from a fixed seed.
 * (2) It holds one of everything that SQLite stores: foreign keys, checks, views, triggers, generated
 *     columns, partial and expression indexes, a STRICT and a WITHOUT ROWID table, blobs, JSON, and a
 *     full-text index that triggers keep up to date.
 */

export const SAMPLE_COUNTS = {
  artist: 60,
  album: 160,
  track: 1600,
  customer: 200,
  invoice: 800,
  invoiceLine: 2400,
} as const;

const ROWS_PER_INSERT = 200;
const GENRES = ["Rock", "Jazz", "Metal", "Blues", "Latin", "Classical", "Electronic", "Folk"];
const COUNTRIES = ["Brazil", "Canada", "Česko", "Deutschland", "France", "India", "日本", "Norge"];
const ADJECTIVES = ["Silent", "Golden", "Broken", "Electric", "Distant", "Hollow", "Wild", "Blue"];
const NOUNS = ["River", "Mirror", "Engine", "Garden", "Harbour", "Winter", "Signal", "Lantern"];
const FIRST_NAMES = ["Ana", "Björn", "Chloé", "Dmitri", "Emeka", "Fatima", "Grace", "Hiroshi"];
const LAST_NAMES = [
  "Almeida",
  "Brandt",
  "Costa",
  "Dvořák",
  "Eriksen",
  "Fournier",
  "Gupta",
  "O'Hara",
];
const TAGS = ["vinyl", "early", "gift", "wholesale"];

const SCHEMA = `
create table genre (id integer primary key, name text not null unique);
create table artist (id integer primary key, name text not null unique);
create table album (
  id integer primary key,
  artist_id integer not null references artist (id) on delete cascade,
  title text not null,
  year integer not null check (year between 1950 and 2030),
  cover blob
);
create table track (
  id integer primary key,
  album_id integer not null references album (id) on delete cascade,
  genre_id integer not null references genre (id),
  name text not null,
  duration_ms integer not null check (duration_ms > 0),
  price_cents integer not null default 99,
  minutes real generated always as (round(duration_ms / 60000.0, 2)) virtual,
  price text generated always as (printf('%.2f', price_cents / 100.0)) stored
);
create table customer (
  id integer primary key,
  name text not null,
  email text not null unique collate nocase,
  country text not null,
  facts text not null check (json_valid(facts))
);
create table invoice (
  id integer primary key,
  customer_id integer not null references customer (id),
  day text not null,
  total_cents integer not null default 0
);
create table invoice_line (
  id integer primary key,
  invoice_id integer not null references invoice (id) on delete cascade,
  track_id integer not null references track (id) deferrable initially deferred,
  price_cents integer not null,
  quantity integer not null default 1 check (quantity > 0)
);
create table favourite (
  customer_id integer not null references customer (id) on delete cascade,
  track_id integer not null references track (id) on delete cascade,
  primary key (customer_id, track_id)
) without rowid;
create table setting (key text primary key, value any) strict;
create index album_artist on album (artist_id, year desc);
create index track_album on track (album_id);
create index track_long on track (duration_ms) where duration_ms > 300000;
create index customer_city on customer (json_extract(facts, '$.city'));
create index customer_name on customer (name collate nocase);
create index line_invoice on invoice_line (invoice_id);
create virtual table track_search using fts5 (name, album, artist, tokenize = 'porter');
create trigger track_added after insert on track begin
  insert into track_search (rowid, name, album, artist)
  select new.id, new.name, album.title, artist.name
  from album join artist on artist.id = album.artist_id where album.id = new.album_id;
end;
create trigger track_removed after delete on track begin
  delete from track_search where rowid = old.id;
end;
create trigger line_added after insert on invoice_line begin
  update invoice set total_cents = total_cents + new.price_cents * new.quantity
  where id = new.invoice_id;
end;
create view album_overview as
  select album.id, album.title, artist.name as artist, count(*) as tracks,
         round(sum(track.minutes), 1) as minutes
  from album join artist on artist.id = album.artist_id join track on track.album_id = album.id
  group by album.id;
create view sales_by_country as
  select country, count(*) as invoices, sum(total_cents) as cents
  from invoice join customer on customer.id = invoice.customer_id group by country;
`;

/** Each a complete statement, in an order in which they can run. Wrap them in a transaction. */
export function sampleStatements(): string[] {
  const pick = seededPicks(20_260_101);
  return [
    ...statementsOf(SCHEMA),
    ...inserts(
      "genre",
      GENRES.map((name, at) => `(${at + 1}, ${quoted(name)})`),
    ),
    ...inserts(
      "artist",
      rows(SAMPLE_COUNTS.artist, (id) => `(${id}, ${quoted(bandName(id))})`),
    ),
    ...inserts(
      "album",
      rows(SAMPLE_COUNTS.album, (id) => {
        const title = `${pick(ADJECTIVES)} ${pick(NOUNS)} No. ${id}`;
        const cover = `x'${(id * 2_654_435_761).toString(16).padStart(12, "0").repeat(4)}'`;
        const artistId = 1 + pick.below(SAMPLE_COUNTS.artist);
        return `(${id}, ${artistId}, ${quoted(title)}, ${1960 + pick.below(65)}, ${cover})`;
      }),
    ),
    ...inserts(
      "track (id, album_id, genre_id, name, duration_ms, price_cents)",
      rows(SAMPLE_COUNTS.track, (id) => {
        const name = quoted(`${pick(ADJECTIVES)} ${pick(NOUNS)} (take ${1 + pick.below(9)})`);
        const durationMs = 90_000 + pick.below(400_000);
        const ids = `${id}, ${1 + (id % SAMPLE_COUNTS.album)}, ${1 + pick.below(GENRES.length)}`;
        return `(${ids}, ${name}, ${durationMs}, ${pick([69, 99, 129])})`;
      }),
    ),
    ...customerStatements(pick),
    ...invoiceStatements(pick),
    "insert into setting values ('currency', 'EUR'), ('tax', 0.19), ('version', 3), ('note', null);",
    "pragma user_version = 7;",
  ];
}

function customerStatements(pick: Picks): string[] {
  return [
    ...inserts(
      "customer",
      rows(SAMPLE_COUNTS.customer, (id) => {
        const name = `${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}`;
        const facts = {
          city: `${pick(NOUNS)} Town`,
          tags: [pick(TAGS), pick(TAGS)],
          visits: id % 17,
        };
        const country = quoted(pick(COUNTRIES));
        const email = quoted(`customer${id}@example.com`);
        return `(${id}, ${quoted(name)}, ${email}, ${country}, ${quoted(JSON.stringify(facts))})`;
      }),
    ),
    ...inserts(
      "favourite",
      rows(SAMPLE_COUNTS.customer * 3, (at) => {
        const customerId = Math.ceil(at / 3);
        return `(${customerId}, ${1 + ((customerId * 37 + at * 101) % SAMPLE_COUNTS.track)})`;
      }),
    ),
  ];
}

function invoiceStatements(pick: Picks): string[] {
  const twoDigits = (n: number) => String(n).padStart(2, "0");
  return [
    ...inserts(
      "invoice (id, customer_id, day)",
      rows(SAMPLE_COUNTS.invoice, (id) => {
        const day = `2026-${twoDigits(1 + pick.below(12))}-${twoDigits(1 + pick.below(28))}`;
        return `(${id}, ${1 + pick.below(SAMPLE_COUNTS.customer)}, ${quoted(day)})`;
      }),
    ),
    ...inserts(
      "invoice_line",
      rows(SAMPLE_COUNTS.invoiceLine, (id) => {
        const trackId = 1 + pick.below(SAMPLE_COUNTS.track);
        const invoiceId = 1 + (id % SAMPLE_COUNTS.invoice);
        return `(${id}, ${invoiceId}, ${trackId}, ${pick([69, 99, 129])}, ${1 + pick.below(3)})`;
      }),
    ),
  ];
}

interface Picks {
  <T>(from: readonly T[]): T;
  /** An integer in [0, limit). */
  below(limit: number): number;
}

/** Numbers that look random and are the same on every machine (Park and Miller's generator). */
function seededPicks(seed: number): Picks {
  let state = seed;
  const below = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  return Object.assign(<T>(from: readonly T[]) => from[below(from.length)] as T, { below });
}

function bandName(id: number): string {
  const adjective = ADJECTIVES[id % ADJECTIVES.length] ?? "";
  const noun = NOUNS[Math.floor(id / ADJECTIVES.length) % NOUNS.length] ?? "";
  return `The ${adjective} ${noun}s`;
}

function rows(count: number, row: (id: number) => string): string[] {
  return Array.from({ length: count }, (_, at) => row(at + 1));
}

function inserts(into: string, values: readonly string[]): string[] {
  const statements: string[] = [];
  for (let at = 0; at < values.length; at += ROWS_PER_INSERT) {
    const some = values.slice(at, at + ROWS_PER_INSERT);
    statements.push(`insert into ${into} values\n${some.join(",\n")};`);
  }
  return statements;
}

/** A statement of the schema begins at the margin with `create`. */
function statementsOf(schema: string): string[] {
  return schema.trim().split(/\n(?=create )/);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
