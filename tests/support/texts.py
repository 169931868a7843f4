"""Ordinary text of many kinds, to count tokens in."""

# ruff: noqa: E501, RUF001, S311 - texts are as people write them, and chance is no secret

from __future__ import annotations

import base64
import json
import random
import uuid
from pathlib import Path
from typing import Final

import fsm_agent

ENGLISH: Final = (
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and "
    "should act towards one another in a spirit of brotherhood.",
    "I'd like to change my booking: could you move the flight on Friday to Sunday evening, please? Thanks so much!",
    "The committee's preliminary investigation concluded that insufficient communication between departments, rather "
    "than any technical shortcoming, was chiefly responsible for the misunderstanding.",
    "Hi there. It's me again. No, not that one. The other one! Yes. OK, see you at ten.",
)

LANGUAGES: Final = {
    "Albanian": "Të gjithë njerëzit lindin të lirë dhe të barabartë në dinjitet dhe në të drejta.",
    "Amharic": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    "Arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن يعامل بعضهم بعضًا بروح الإخاء.",
    "Armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    "Bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "Burmese": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "Czech": "Všichni lidé se rodí svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat v duchu bratrství.",
    "Dutch": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten.",
    "Finnish": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu järki ja omatunto.",
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience.",
    "Georgian": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Die Geschwindigkeitsbegrenzung der Donaudampfschifffahrtsgesellschaft gilt uneingeschränkt.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Hausa": "Su dai 'yan-adam, ana haifuwarsu ne duka 'yantattu, kuma kowannensu na da mutunci da hakkoki daidai da na kowa.",
    "Hebrew": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "Hungarian": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel bírván, egymással szemben testvéri szellemben kell hogy viseltessenek.",
    "Icelandic": "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum.",
    "Indonesian": "Semua orang dilahirkan merdeka dan mempunyai martabat dan hak-hak yang sama.",
    "Irish": "Saolaítear na daoine uile saor agus comhionann ina ndínit agus ina gcearta.",
    "Italian": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di coscienza.",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "Khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងសមភាពក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិ។",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "Latvian": "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās.",
    "Malayalam": "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും അന്തസ്സോടും സ്വാതന്ത്ര്യത്തോടുംകൂടി ജനിച്ചിട്ടുള്ളവരാണ്.",
    "Mongolian": "Хүн бүр төрж мэндлэхэд эрх чөлөөтэй, адилхан нэр төртэй, ижил эрхтэй байдаг.",
    "Persian": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "Polish": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem.",
    "Portuguese": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью.",
    "Spanish": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia.",
    "Swahili": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri.",
    "Tamil": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள்.",
    "Telugu": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "Tibetan": "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌། ཐོབ་ཐངགི་རང་དབང་འདྲ་མཉམ་དུ་ཡོད་ལ།",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler.",
    "Ukrainian": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "Urdu": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "Vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "Welsh": "Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau.",
    "Yoruba": "Gbogbo ènìyàn ni a bí ní òmìnira; iyì àti ẹ̀tọ́ kọ̀ọ̀kan sì dọ́gba.",
    "Zulu": "Bonke abantu bazalwa bekhululekile belingana ngesithunzi nangamalungelo.",
}  # fmt: skip

_CHANCE: Final = random.Random(4)
_BYTES: Final = _CHANCE.randbytes(3_000)


def _json() -> str:
    rows = [
        {
            "id": str(uuid.UUID(int=_CHANCE.getrandbits(128))),
            "price": _CHANCE.random() * 900,
            "stops": n % 3,
            "ok": n > 7,
        }
        for n in range(20)
    ]
    return json.dumps({"rows": rows, "next": None, "größe": ["é", "日本"]})


#: what tools return, and what people paste
MATTER: Final = {
    "json": _json(),
    "json, indented": json.dumps(json.loads(_json()), indent=2, ensure_ascii=False),
    "base64": base64.b64encode(_BYTES).decode(),
    "base64, in lines": base64.encodebytes(_BYTES).decode(),
    "base64url": base64.urlsafe_b64encode(_BYTES).decode(),
    "base32": base64.b32encode(_BYTES).decode(),
    "base85": base64.b85encode(_BYTES).decode(),
    "hex": _BYTES.hex(),
    "HEX": _BYTES.hex().upper(),
    "numbers": "\n".join(f"{n}\t{_CHANCE.random():.6f}\t{_CHANCE.randrange(10**9):,}" for n in range(60)),
    "a jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0.SflKxwRJSMeKKF2QT4f",
    "an address": "https://example.org/a/b_c/d-e.html?q=%E2%9C%93&utm_source=x&id=a81bc81b-dead-4e5d-abff-90865d1e13b1#top",
    "emoji": "😀🎉🦄👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽 ok 🫠🪿🧑🏿‍🚀",
    "signs": "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β → ∑ᵢ √(n²) ≈ 3½ … “quotes” – dashes — €5 £3 ½ © ™",
    "a table": "| name | count |\n|------|------:|\n" + "".join(f"| item_{n} | {n * 37} |\n" for n in range(30)),
    "a rule": "=" * 200 + "\n" + "-" * 75 + "\n" + "#" * 31 + "\n",
    "blanks": "a" + " " * 301 + "b" + "\n" * 57 + "c" + "\t" * 23 + "d \n \n  \n\r\n\r\n",
    "shouting": "ERROR: CONNECTION REFUSED BY PEER; RETRYING IN BACKGROUND. XMLHTTPREQUEST FAILED WITH EPIPE (ENOTCONN)",
    "names": "getUserByIdOrThrow HTTPServerFactoryBean snake_case_variable_name kebab-case-name __dunder__ iOS macOS",
    "sql": "SELECT u.id, count(*) FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE u.created_at >= '2026-01-01';",
    "shell": 'for f in *.log; do gzip -9 "$f" && mv "$f.gz" /var/log/archive/; done 2>&1 | tee -a ~/out.txt; echo $?',
    "html": '<div class="card mx-2" id="a1"><a href="/x?y=1&amp;z=2">Click <b>here</b></a><br/></div>\n' * 5,
    "a traceback": 'Traceback (most recent call last):\n  File "/srv/app/main.py", line 12, in <module>\n    raise KeyError("x")\n',
    "chemistry": "C12H22O11 + H2O -> 2 C6H12O6; (2S,3R)-2-amino-3-hydroxybutanoic acid; acetylsalicylsäure",
    "medicine": "Pneumonoultramicroscopicsilicovolcanoconiosis, esophagogastroduodenoscopy, otorhinolaryngologist",
}  # fmt: skip

CODE: Final = {
    path.name: path.read_text() for path in sorted((Path(fsm_agent.__file__).parent / "domain").glob("*.py"))
}
