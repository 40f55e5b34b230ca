// A billed event, as far as totals need it, and how it is read from a record of the topic. Promise:
// the fields follow Tollgate's rules (an empty text is absent, a country is in upper case, requests
// default to one, or to none when the cost is negative). It leaves out what only dedup and limits
// look at, and checks no ranges: the fields are skipped or taken in schema order, without a record
// object, by one decoder per thread.
package tollgate.peers;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.util.Utf8;

final class BilledEvent {
    Utf8 account;
    Utf8 feature;
    /** Null where the event names none; so is `country`. */
    Utf8 profile;
    Utf8 country;
    long costMicros;
    long requests;
    long occurredAtMs;

    /** Reads records of the topic, one after the other, into the same event and the same texts. */
    static final class Reader {
        /** C3 01 and the schema's fingerprint, CRC-64-AVRO. */
        private static final int HEADER_BYTES = 10;
        private static final short MARKER = (short) 0xC301;
        private static final long FINGERPRINT = fingerprint();
        private static final VarHandle SHORT =
                MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
        private static final VarHandle LONG =
                MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

        private final BilledEvent event = new BilledEvent();
        private final Utf8 account = new Utf8();
        private final Utf8 feature = new Utf8();
        private final Utf8 profile = new Utf8();
        private final Utf8 country = new Utf8();
        private BinaryDecoder decoder;
        private ByteBuffer cost = ByteBuffer.allocate(16);

        /** The event is valid until the next call. */
        BilledEvent read(byte[] bytes) throws IOException {
            if (bytes.length < HEADER_BYTES
                    || (short) SHORT.get(bytes, 0) != MARKER
                    || (long) LONG.get(bytes, 2) != FINGERPRINT) {
                throw new IOException("a record is no billed event in single-object encoding");
            }
            int length = bytes.length - HEADER_BYTES;
            decoder = DecoderFactory.get().binaryDecoder(bytes, HEADER_BYTES, length, decoder);
            decoder.skipString(); // type
            decoder.skipString(); // event_id
            skipOptionalText(); // idempotency_key
            event.account = decoder.readString(account);
            event.profile = optionalText(profile);
            event.feature = decoder.readString(feature);
            event.country = upperCase(optionalText(country));
            skipOptionalText(); // sender
            skipOptionalText(); // recipient
            skipOptionalText(); // purpose
            boolean counted = decoder.readIndex() == 1;
            long requests = counted ? decoder.readLong() : 0;
            cost = decoder.readBytes(cost);
            event.costMicros = unscaled(cost);
            event.requests = !counted && event.costMicros >= 0 ? 1 : requests;
            event.occurredAtMs = decoder.readLong();
            return event;
        }

        private Utf8 optionalText(Utf8 reused) throws IOException {
            if (decoder.readIndex() == 0) {
                return null;
            }
            Utf8 text = decoder.readString(reused);
            return text.getByteLength() == 0 ? null : text;
        }

        private void skipOptionalText() throws IOException {
            if (decoder.readIndex() == 1) {
                decoder.skipString();
            }
        }

        /** Of two ASCII letters. */
        private static Utf8 upperCase(Utf8 country) {
            if (country != null) {
                byte[] letters = country.getBytes();
                letters[0] &= ~0x20;
                letters[1] &= ~0x20;
            }
            return country;
        }

        /** The micro-dollars of a decimal with scale 6: big-endian two's complement. */
        private static long unscaled(ByteBuffer bytes) {
            byte[] digits = bytes.array();
            long value = bytes.limit() > 0 && digits[0] < 0 ? -1 : 0;
            for (int i = 0; i < bytes.limit(); i++) {
                value = value << 8 | digits[i] & 0xFF;
            }
            return value;
        }

        private static long fingerprint() {
            try (InputStream text = BilledEvent.class.getResourceAsStream("/billed-event.avsc")) {
                Schema schema = new Schema.Parser().parse(text);
                return SchemaNormalization.parsingFingerprint64(schema);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
