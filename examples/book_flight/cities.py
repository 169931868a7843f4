"""What travellers mean by a city's name, where the register of airports says too little or too much.

The register files each airport under one place in one spelling: Montreal's airport lies in Dorval, Berlin has three
(one closed, one in New Hampshire), and the metropolitan code NYC names two of the three that people fly to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: codes of the airports that are meant -> names that mean them
MEANT: Final[Mapping[str, str]] = {
    "AMM": "Amman",
    "BCN": "Barcelona",
    "BEG": "Belgrade, Beograd",
    "BER": "Berlin",
    "BLR": "Bengaluru",
    "BOD": "Bordeaux",
    "BOM": "Bombay",
    "BRU CRL": "Bruxelles, Brussel",
    "BSL": "Basel, Bale",
    "CDG ORY": "Paris, PAR",
    "CGN": "Cologne, Koeln, Koln",
    "CPH": "Copenhagen, Kobenhavn, Kopenhagen",
    "DCA IAD BWI": "Washington, Washington DC, DC, WAS",
    "DEL": "Delhi",
    "DOH": "Doha",
    "DTW": "Detroit",
    "DUB": "Dublin",
    "DUS": "Dusseldorf, Duesseldorf",
    "FCO CIA": "Rome, Roma",
    "FLR": "Florence, Firenze",
    "FRA": "Frankfurt",
    "GVA": "Geneva, Geneve, Genf",
    "HAM": "Hamburg",
    "IAH HOU": "Houston",
    "IST SAW": "Istanbul",
    "JFK LGA EWR": "New York, New York City, NY, NYC",
    "JNB": "Johannesburg",
    "KBP": "Kiev",
    "LAX": "Los Angeles, LA",
    "LED": "Saint Petersburg, St Petersburg",
    "LIS": "Lisboa, Lissabon",
    "LYS": "Lyon",
    "MAN": "Manchester",
    "MLH": "Mulhouse",
    "MUC": "Munich, Muenchen, Munchen",
    "MXP LIN BGY": "Milano",
    "NAP": "Napoli",
    "NUE": "Nuremberg, Nuernberg, Nurnberg",
    "OTP": "Bucharest, Bucuresti",
    "PRG": "Praha",
    "SCL": "Santiago",
    "SEA": "Seattle",
    "SFO": "San Francisco, SF, Frisco",
    "SFO OAK SJC": "Bay Area",
    "SGN": "Saigon",
    "STR": "Stuttgart",
    "SVQ": "Seville",
    "TLS": "Toulouse",
    "TRN": "Turin",
    "VCE": "Venezia",
    "VIE": "Wien",
    "VLC VLN": "Valencia",
    "WAW": "Warsaw, Warszawa",
    "YUL": "Montreal",
    "ZRH": "Zuerich",
}
