"""Makes the files of this folder: a tiny text encoder, and vectors computed by onnxruntime and tokenizers for Python.

Run by hand, with the versions of requirements.txt and the folder of `cargo xtask text-model`:

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make.py ../../../../../.text-model

The encoder has the inputs and outputs of BERT, a vocabulary of word pieces, and eight components a token. It
takes 64 tokens at most, and the vector of the word `nan` is not a number. Each text is computed alone, so that
nothing fills it up; pooling is that of sentence-transformers.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

HERE = pathlib.Path(__file__).parent
DIMS, TOKENS = 8, 64
random = np.random.default_rng(20130101)

words = """the a of and to in is was for on at by with from as it that this be are not or an but have has had
flight delay airport weather wind rain snow fog storm sky plane carrier route time hour day month year late early
search text word model vector passage query document index cluster node shard query run score read write scan bulk
city river mountain lake sea house street train bus car road bridge garden tree flower bird dog cat fish horse
one two three four five six seven eight nine ten red green blue white black good bad new old big small long short
north south east west first last next up down left right open close start end nan""".split()
pieces = ["##s", "##ed", "##ing", "##er", "##est", "##ly", "##ness", "##tion", "##al", "##ment"]
letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789")
marks = list(".,;:!?-'\"()[]/&%+=#@_*<>")
vocabulary = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
vocabulary.update(dict.fromkeys(letters + [f"##{one}" for one in letters] + marks + words + pieces))
vocabulary = {piece: number for number, piece in enumerate(vocabulary)}

tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
tokenizer.decoder = decoders.WordPiece()
# As many published tokenizers have them: no text may be cut or filled up by this.
tokenizer.enable_truncation(6)
tokenizer.enable_padding(length=6, pad_id=vocabulary["[PAD]"], pad_token="[PAD]")
tokenizer.save(str(HERE / "tokenizer.json"))


def weights(*shape):
    return random.normal(size=shape).astype(np.float32)


table = weights(len(vocabulary), DIMS)
table[vocabulary["nan"]] = np.nan
values = {
    "words": table, "places": weights(TOKENS, DIMS), "types": weights(2, DIMS),
    "inner": weights(DIMS, DIMS), "context": weights(DIMS, DIMS), "pooler": weights(DIMS, DIMS),
    "zero": np.array(0, np.int64), "one": np.array(1, np.int64), "axis": np.array([1], np.int64),
    "last": np.array([2], np.int64),
}
node = helper.make_node
graph = helper.make_graph(
    [
        node("Gather", ["words", "input_ids"], ["word"]),
        node("Shape", ["input_ids"], ["shape"]),
        node("Gather", ["shape", "one"], ["length"]),
        node("Range", ["zero", "length", "one"], ["range"]),
        node("Gather", ["places", "range"], ["place"]),
        node("Gather", ["types", "token_type_ids"], ["type"]),
        node("Add", ["word", "place"], ["sum"]),
        node("Add", ["sum", "type"], ["embedded"]),
        node("MatMul", ["embedded", "inner"], ["mixed"]),
        node("Tanh", ["mixed"], ["hidden"]),
        node("Cast", ["attention_mask"], ["flat_mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["flat_mask", "last"], ["mask"]),
        node("Mul", ["hidden", "mask"], ["masked"]),
        node("ReduceSum", ["masked", "axis"], ["total"]),
        node("ReduceSum", ["mask", "axis"], ["count"]),
        node("Div", ["total", "count"], ["mean"]),
        node("MatMul", ["mean", "context"], ["shared"]),
        node("Add", ["hidden", "shared"], ["last_hidden_state"]),
        node("Gather", ["last_hidden_state", "zero"], ["first"], axis=1),
        node("MatMul", ["first", "pooler"], ["raw_pooler"]),
        node("Tanh", ["raw_pooler"], ["pooler_output"]),
    ],
    "tiny",
    [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ],
    [
        helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", DIMS]),
        helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", DIMS]),
    ],
    [numpy_helper.from_array(array, name) for name, array in values.items()],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="make.py")
onnx.checker.check_model(model)
onnx.save(model, HERE / "model.onnx")

texts = [
    "", " ", "a", "the", "Flight delayed", "weather", "The plane was late.", "NaN is not a number",
    "Rain and fog at the airport; two flights are late!", "one two three four five six seven eight nine ten",
    "Schnee und Nebel auf dem Flughafen Zürich", "Il pleut à Genève, et le vol est retardé.", "Ünïcödé ÀÉÎÕÜ ñ ß ø æ",
    "航班因大雾延误了两个小时", "フライトは霧のため遅れています。", "항공편이 안개로 인해 지연되었습니다", "Рейс задерживается из-за тумана",
    "الرحلة متأخرة بسبب الضباب", "הטיסה מתעכבת בגלל הערפל", "उड़ान कोहरे के कारण विलंबित है", "เที่ยวบินล่าช้าเพราะหมอก",
    "😀", "✈️ delayed 😡😡😡", "👨‍👩‍👧‍👦 on a plane 🛫", "🇨🇭🇩🇪🇺🇸", "e\u0301 and é are the same letter", "a\u0300\u0301\u0302\u0303 stacked",
    "zero\u200bwidth\u200bspaces", "soft\u00adhyphen", "no\u00a0break\u00a0space", "tab\tand\nnew\r\nline", "bell\x07 and null\x00 and \ufffd",
    "[SEP] [CLS] [MASK] [PAD] in a text", "##ing is a piece", "https://example.org/a/very/long/path?with=query&and=more#part",
    "ana.meier+flights@example.org", "1,234,567.89", "3.14159265358979", "2013-01-01T05:00:00-05:00", "C++ and C# & F#",
    "don't can't won't it's", "state-of-the-art", "UPPER lower MiXeD", "x" * 120, "word " * 40, "?!?!?!...",
    "“quotes” ‘single’ «guillemets» „unten“", "½ ¼ ² ³ ™ © ® € £ ¥", "ﬁ ligature ﬀ", "ＦＵＬＬ ｗｉｄｔｈ",
    "λόγος φιλοσοφία", "İstanbul ıssız", "Straße STRASSE", "naïve café résumé", "a b c d e f g h i j k l m n o p",
    "The quick brown fox jumps over the lazy dog.", "Short.", "In the beginning was the word, and the word was late.",
    "Flight UA1545 from EWR to IAH departed two minutes late on the first day of the year, with a strong wind from the "
    "west and a temperature of 39 degrees; the crew made up for it on the way and landed eleven minutes after schedule.",
    " ".join(f"Sentence {number} tells that flight {number * 7} from gate {number % 9} was {number % 5} minutes late."
             for number in range(19)),
]
assert len(texts) == 60, len(texts)
(HERE / "texts.json").write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n")


def encodings(path):
    plain = Tokenizer.from_file(str(path))
    plain.no_truncation()
    plain.no_padding()
    return [plain.encode(text) for text in texts]


def hidden(session, encoding):
    names = [output.name for output in session.get_outputs()]
    given = {
        "input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids
    }
    answers = session.run(names, {name: np.array([ids], np.int64) for name, ids in given.items()})
    return dict(zip(names, (answer[0] for answer in answers)))


def normalized(vectors):
    return vectors / np.clip(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12, None)


session = onnxruntime.InferenceSession(HERE / "model.onnx")
tiny = encodings(HERE / "tokenizer.json")
(HERE / "tiny.ids.json").write_text(json.dumps([encoding.ids for encoding in tiny]) + "\n")
# A text of too many tokens, and one with `nan`, have no vector.
answers = [hidden(session, one) if len(one.ids) <= TOKENS else None for one in tiny]
none = np.full(DIMS, np.nan, np.float32)
for name, pool in {
    "mean": lambda answer: answer["last_hidden_state"].mean(axis=0),
    "cls": lambda answer: answer["last_hidden_state"][0],
    "max": lambda answer: answer["last_hidden_state"].max(axis=0),
    "none": lambda answer: answer["pooler_output"],
}.items():
    vectors = np.stack([none if answer is None else pool(answer) for answer in answers])
    vectors.astype(np.float32).tofile(HERE / f"tiny.{name}.f32")

folder = pathlib.Path(sys.argv[1])
session = onnxruntime.InferenceSession(folder / "model.onnx")
minilm = encodings(folder / "tokenizer.json")
(HERE / "minilm.ids.json").write_text(json.dumps([encoding.ids for encoding in minilm]) + "\n")
vectors = normalized(np.stack([hidden(session, one)["last_hidden_state"].mean(axis=0) for one in minilm]))
vectors.astype(np.float32).tofile(HERE / "minilm.f32")
