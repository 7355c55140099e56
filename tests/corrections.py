"""Corrections and small edits of articles in many languages, as editors make them, each with what it is (data of tests)."""

from __future__ import annotations

from collections.abc import Iterator

# Each line is a sentence as it was and as it is. "changed": a name or a number is another one. "small": the same facts.
NAMES = {
    "de": {
        "changed": """
            Die Brücke führt über die Donau. | Die Brücke führt über den Rhein.
            Das Feuer brach am Abend in Graz aus. | Das Feuer brach am Abend in Linz aus.
            Bürgermeister Meier eröffnete die Brücke. | Bürgermeister Huber eröffnete die Brücke.
            Die Brücke wurde von Anna Fischer geplant. | Die Brücke wurde von Anna Richter geplant.
            Am Sonntag besuchte Fischer die Baustelle. | Am Sonntag besuchte Richter die Baustelle.
            Die Firma Koch baute die Halle. | Die Firma Bauer baute die Halle.
            Der Zug hält auch in Halle an der Saale. | Der Zug hält auch in Naumburg an der Saale.
            Den Antrag stellte die SPD im Gemeinderat. | Den Antrag stellte die CDU im Gemeinderat.
            Gebaut wird am Ufer des Bodensees. | Gebaut wird am Ufer des Wörthersees.
            Über den Bau berichtete zuerst der Spiegel. | Über den Bau berichtete zuerst der Stern.
            Die Delegation reiste weiter in die Ukraine. | Die Delegation reiste weiter in die Slowakei.
            Gesperrt ist die Mühlgasse bis zum Herbst. | Gesperrt ist die Lindengasse bis zum Herbst.
            Die alte Murbrücke wird abgerissen. | Die alte Ennsbrücke wird abgerissen.
            Nach dem Spiel lobte Trainerin Klara Voss die Mannschaft. | Nach dem Spiel lobte Trainerin Klara Voigt die Mannschaft.
            Die Ausstellung zeigt Bilder von Klimt. | Die Ausstellung zeigt Bilder von Schiele.
            Der Verein aus Melsungen gewann das Turnier. | Der Verein aus Salzungen gewann das Turnier.
            Das Werk gehört inzwischen zu Siemens. | Das Werk gehört inzwischen zu Bosch.
            Die junge Forscherin kommt aus dem Libanon. | Die junge Forscherin kommt aus dem Jemen.
            Der Fluss entspringt im Schwarzwald. | Der Fluss entspringt im Odenwald.
            Er arbeitet für das Goethe-Institut. | Er arbeitet für das Robert-Koch-Institut.
            Sie spielte die Rolle der Maria. | Sie spielte die Rolle der Magdalena.
            Gegen Wolf wird seit Mai ermittelt. | Gegen Berger wird seit Mai ermittelt.
            Gewonnen hat der Zürcher Architekt. | Gewonnen hat der Berner Architekt.
            Peking lehnte den Plan ab. | Teheran lehnte den Plan ab.
            Meier sprach am Montag. | Huber sprach am Montag.
            """,
        "small": """
            Das Viertel wächst seit Jahren. | Der Stadtteil wächst seit Jahren.
            Die Brücke ist wegen der Bauarbeiten gesperrt. | Die Brücke ist wegen der Arbeiten gesperrt.
            Die Bewohner freuen sich über die Eröffnung. | Die Anwohner freuen sich über den Start.
            Der Rat beschloss die Sanierung der Brücke. | Der Rat beschloss die Erneuerung der Brücke.
            Viele Menschen kamen zum Fest. | Viele Leute kamen zur Feier.
            Nach dem Unfall war die Straße lange gesperrt. | Nach dem Unglück war die Fahrbahn lange gesperrt.
            Die Polizei sucht nach Zeugen. | Die Beamten suchen nach Zeugen.
            Das Gericht verschob die Entscheidung. | Das Gericht verschob das Urteil.
            Kinder spielten am Ufer des Flusses. | Buben und Mädchen spielten am Ufer.
            Der Chef der Firma kündigte Kündigungen an. | Der Leiter des Unternehmens kündigte Entlassungen an.
            Die Stadt gab das Geld für die Schule aus. | Die Gemeinde gab die Mittel für die Schule aus.
            Der Zug war mit Reisenden voll besetzt. | Der Zug war mit Passagieren voll besetzt.
            Die Forscher veröffentlichten ihre Ergebnisse. | Die Wissenschaftler veröffentlichten ihre Resultate.
            Der Bau verzögert sich wegen der Witterung. | Der Bau verzögert sich wegen des Wetters.
            Das Haus gehört einer alten Dame. | Das Gebäude gehört einer alten Frau.
            Es gab Probleme mit dem Antrag. | Es gab Schwierigkeiten mit dem Antrag.
            Sie sprach über die Zukunft der Landwirtschaft. | Sie sprach über die Zukunft der Bauern.
            Er lobte die Leistung seiner Mannschaft. | Er lobte die Leistung seines Teams.
            Am Abend begann das Konzert. | Am Abend begann der Auftritt der Musiker.
            Das Krankenhaus sucht dringend Personal. | Die Klinik sucht dringend Mitarbeiter.
            Der Besitzer des Hundes meldete sich. | Der Halter des Hundes meldete sich.
            Die Ursache des Feuers ist unklar. | Die Ursache des Brandes ist unklar.
            Die Opposition kritisierte den Vorschlag. | Die Opposition kritisierte den Plan.
            Das Fahrzeug kam von der Fahrbahn ab. | Das Auto kam von der Straße ab.
            Der Rat der Stadt Graz tagt. | Der Stadtrat von Graz tagt.
            Gestern sprach der Minister. | Heute sprach der Minister.
            """,
    },
    "en": {
        "changed": """
            The bridge was opened by Mayor Ada Byron. | The bridge was opened by Mayor Ada Lovelace.
            The fire began in a shop in Graz. | The fire began in a shop in Linz.
            Visitors came from France and Spain. | Visitors came from France and Italy.
            The team beat Larkhaven Rovers on Monday. | The team beat Larkhaven United on Monday.
            It was built by Siemens. | It was built by Bosch.
            Byron opened the bridge. Byron was glad. | Lovelace opened the bridge. Lovelace was glad.
            The German minister resigned. | The Austrian minister resigned.
            The road is shut between Hill Street and Mill Lane. | The road is shut between Hill Street and Bell Lane.
            Beijing said so on Monday. | Tehran said so on Monday.
            Paris rejects the plan. | London rejects the plan.
            Williams leads the firm. | Kelly leads the firm.
            Kelly leads the firm. | Brown leads the firm.
            Smith's firm won. | Brown's firm won.
            McDonald's won the case. | Wendy's won the case.
            Dr. Smith was there. | Dr. Brown was there.
            “Smith was there,” he said. | “Brown was there,” he said.
            He said, "Smith was there." | He said, "Brown was there."
            It was in St. Ives. | It was in St. Albans.
            Police arrested Mr X. | Police arrested Mr Y.
            The firm eBay won. | The firm iRobot won.
            iPhone sales fell in May. | iPad sales fell in May.
            Trump met Putin. | Putin met Trump.
            Ada beat Eve in Graz. | Eve beat Ada in Graz.
            Mayor Ada Byron sued Eve Smith. | Eve Smith sued Mayor Ada Byron.
            She flew from Graz to Linz. | She flew from Linz to Graz.
            The mayor didn't know of it. | The mayor knew of it.
            The bridge won't open in May. | The bridge will open in May.
            The bridge doesn't open in May. | The bridge opens in May.
            The court acquitted Ada Byron. | The court convicted Ada Byron.
            Sales rose in Graz. | Sales fell in Graz.
            The lake is north of Graz. | The lake is south of Graz.
            """,
        "small": """
            The council said the Council would pay. | The council said the council would pay.
            Visitors came from all over the county. | People came from all over the county.
            Mayor Ada Byron opened the bridge. | Ada Byron, the mayor, opened the bridge.
            However, the bridge stays shut. | But the bridge stays shut.
            Residents of Graz complained. | People in Graz complained.
            It was Ada Byron’s bridge. | The bridge was Ada Byron's.
            The old bridge over the Senn is shut. | The Senn's old bridge is shut.
            Residents complained on Monday. | Neighbours complained on Monday.
            Police said so on Monday. | Officers said so on Monday.
            Meanwhile, the bridge stays shut. | Nevertheless, the bridge stays shut.
            Walking on it is forbidden. | Strolling on it is forbidden.
            Firefighters said so on Monday. | Crews said so on Monday.
            Ada and Eve won the cup. | Eve and Ada won the cup.
            It was built by Ada, Eve and Joan. | It was built by Joan, Ada and Eve.
            Ada beat Eve in Graz. | Eve was beaten by Ada in Graz.
            In Graz, Ada beat Eve. | Ada beat Eve in Graz.
            John F. Kennedy came. | John Kennedy came.
            The bridge won't open in May. | The bridge will not open in May.
            The bridge is not safe. | The bridge is unsafe.
            Sales rose in Graz. | Sales increased in Graz.
            Sales had risen in Graz. | Sales rose in Graz.
            """,
    },
    "fr": {
        "changed": """
            Le pont a été inauguré par Anne Morel. | Le pont a été inauguré par Anne Moreau.
            Le train s'arrête à Dijon et à Lyon. | Le train s'arrête à Dole et à Lyon.
            Le journal Le Monde a publié la liste. | Le journal Le Figaro a publié la liste.
            Pékin a rejeté le plan. | Téhéran a rejeté le plan.
            Le ministre allemand a démissionné. | Le ministre autrichien a démissionné.
            L'équipe française a gagné. | L'équipe espagnole a gagné.
            La ministre a été acquittée. | La ministre a été condamnée.
            """,
        "small": """
            Les habitants de Lyon attendent le pont. | Les riverains de Lyon attendent le pont.
            Un nouveau pont ouvre à Lyon. | Un grand pont ouvre à Lyon.
            Cependant, le pont de Lyon reste fermé. | Toutefois, le pont de Lyon reste fermé.
            La maire de Lyon a ouvert le pont. | Le pont a été ouvert par la maire de Lyon.
            """,
    },
    "es": {
        "changed": """
            El puente fue inaugurado por Ana Molina. | El puente fue inaugurado por Ana Medina.
            El tren para en Cádiz y en Jerez. | El tren para en Cádiz y en Sevilla.
            Cádiz espera el puente. | Jerez espera el puente.
            El ministro alemán dimitió. | El ministro austriaco dimitió.
            """,
        "small": """
            Los vecinos de Cádiz esperan el puente. | Los habitantes de Cádiz esperan el puente.
            Según la alcaldesa, Cádiz espera. | Como dijo la alcaldesa, Cádiz espera.
            Murieron cinco personas. | Fallecieron cinco personas.
            """,
    },
    "it": {
        "changed": """
            Il ponte è stato aperto da Anna Ricci. | Il ponte è stato aperto da Anna Rizzi.
            Il treno ferma a Parma e a Bologna. | Il treno ferma a Modena e a Bologna.
            Il ministro tedesco si è dimesso. | Il ministro austriaco si è dimesso.
            Il premio è andato a Mario Conti. | Il premio è andato a Maria Conti.
            """,
        "small": """
            Gli abitanti di Parma aspettano il ponte. | I cittadini di Parma aspettano il ponte.
            Tuttavia il ponte di Parma resta chiuso. | Però il ponte di Parma resta chiuso.
            """,
    },
    "nl": {
        "changed": """
            De brug werd geopend door Anna de Wit. | De brug werd geopend door Anna de Groot.
            De trein stopt in Gouda en in Utrecht. | De trein stopt in Woerden en in Utrecht.
            """,
        "small": """
            De bewoners van Gouda wachten op de brug. | De inwoners van Gouda wachten op de brug.
            De burgemeester van Gouda opende de brug. | Goudas burgemeester opende de brug.
            """,
    },
    "pt": {
        "changed": """
            A ponte foi aberta por Ana Moreira. | A ponte foi aberta por Ana Ferreira.
            O comboio para em Braga e no Porto. | O comboio para em Aveiro e no Porto.
            O ministro alemão demitiu-se. | O ministro francês demitiu-se.
            """,
        "small": """
            Os moradores de Braga esperam a ponte. | Os habitantes de Braga esperam a ponte.
            No entanto, a ponte de Braga fica fechada. | Porém, a ponte de Braga fica fechada.
            """,
    },
    "sv": {
        "changed": """
            Bron öppnades av Anna Lind. | Bron öppnades av Anna Lund.
            Tåget stannar i Umeå och i Luleå. | Tåget stannar i Piteå och i Luleå.
            Den tyska ministern avgick. | Den finska ministern avgick.
            """,
        "small": """
            Invånarna i Umeå väntar på bron. | De boende i Umeå väntar på bron.
            Bron öppnades i maj. | Viadukten öppnades i maj.
            Bron i Umeå är kommunens stolthet. | Umeås bro är kommunens stolthet.
            """,
    },
    "da": {
        "changed": """
            Broen blev åbnet af Anna Holm. | Broen blev åbnet af Anna Holst.
            Toget standser i Vejle og i Kolding. | Toget standser i Horsens og i Kolding.
            Den tyske minister gik af. | Den finske minister gik af.
            """,
        "small": """
            Beboerne i Vejle venter på broen. | Borgerne i Vejle venter på broen.
            Broen i Vejle er kommunens stolthed. | Vejles bro er kommunens stolthed.
            """,
    },
    "pl": {
        "changed": """
            Most otworzyła burmistrz Anna Nowak. | Most otworzyła burmistrz Anna Nowicka.
            Pociąg staje w Opolu i w Brzegu. | Pociąg staje w Nysie i w Brzegu.
            Ustąpił minister niemiecki. | Ustąpił minister austriacki.
            """,
        "small": """
            Mieszkańcy Opola czekają na most. | Ludzie w Opolu czekają na most.
            Jednak most w Opolu jest zamknięty. | Most w Opolu jest jednak zamknięty.
            """,
    },
    "ru": {
        "changed": """
            Мост открыла мэр Анна Иванова. | Мост открыла мэр Анна Петрова.
            Поезд останавливается в Туле. | Поезд останавливается в Орле.
            Ушёл немецкий министр. | Ушёл австрийский министр.
            """,
        "small": """
            Жители Тулы ждут моста. | Люди в Туле ждут моста.
            Однако мост в Туле закрыт. | Но мост в Туле закрыт.
            """,
    },
}  # fmt: skip


# Scripts without capitals: a sentence that reads otherwise is asked about, but for marks, numbers and small words.
CASELESS = {
    "ja": {
        "changed": """
            東京で5人が死亡した。 | 大阪で5人が死亡した。
            社長の田中氏が辞任した。 | 社長の中田氏が辞任した。
            ソニーが工場を建てた。 | パナソニックが工場を建てた。
            橋は五月に開く。 | 橋は五月に開かない。
        """,
        "small": """
            東京で火災、5人が死亡した。 | 東京で火災。5人が死亡した。
            東京で5人が死亡した。 | 東京では5人が死亡した。
            来場者は9,000人だった。 | 来場者は9000人だった。
        """,
    },
    "zh": {
        "changed": "北京的大桥昨天开放。 | 上海的大桥昨天开放。",
        "small": "北京的大桥，昨天开放。 | 北京的大桥昨天开放。",
    },
    "ko": {
        "changed": """
            북경에서 5명이 숨졌다. | 상하이에서 5명이 숨졌다.
            김정은이 회의에 왔다. | 김정일이 회의에 왔다.
        """,
        "small": "북경에서, 5명이 숨졌다. | 북경에서 5명이 숨졌다.",
    },
    "ar": {
        "changed": """
            قتل 5 أشخاص في القاهرة. | قتل 5 أشخاص في بيروت.
            افتتح الوزير الجسر. | افتتح الرئيس الجسر.
        """,
        "small": "قتل 5 أشخاص، في القاهرة. | قتل 5 أشخاص في القاهرة.",
    },
    "he": {
        "changed": "הגשר נפתח בחיפה. | הגשר נפתח ביפו.",
        "small": "הגשר נפתח, בחיפה. | הגשר נפתח בחיפה.",
    },
    "hi": {
        "changed": "पुल दिल्ली में खुला। | पुल मुंबई में खुला।",
        "small": "पुल, दिल्ली में खुला। | पुल दिल्ली में खुला।",
    },
    "th": {
        "changed": "สะพานเปิดที่เชียงใหม่ | สะพานเปิดที่ภูเก็ต",
        "small": "สะพานเปิดที่ เชียงใหม่ | สะพานเปิดที่เชียงใหม่",
    },
}  # fmt: skip


# Another way to write the same, and another value.
NUMBERS = {
    "en-AU": {
        "small": "It costs $5 million. | It costs A$5 million.",
        "changed": "It costs $5 million. | It costs US$6 million.",
    },
    "es-MX": {
        "small": "Cuesta $5 millones. | Cuesta 5 millones de pesos.",
        "changed": "Cuesta $5 millones. | Cuesta 5 millones de euros.",
    },
    "en": {
        "small": """
            The ferry leaves at 8 a.m. on Sunday. | The ferry leaves at 8:00 a.m. on Sunday.
            The ferry leaves at 8am. | The ferry leaves at 8 a.m.
            The ferry leaves at 8 AM. | The ferry leaves at 08:00.
            The ferry leaves at 20:00. | The ferry leaves at 8 p.m.
            The ferry leaves at 20:30. | The ferry leaves at 8.30 pm.
            The ferry leaves at 8.30pm. | The ferry leaves at 8:30 p.m.
            The ferry leaves at 12 noon. | The ferry leaves at noon.
            The ferry leaves at midday. | The ferry leaves at noon.
            The ferry leaves at noon. | The ferry leaves at 12 p.m.
            The ferry leaves at midnight. | The ferry leaves at 12 a.m.
            The ferry leaves at 3 o'clock. | The ferry leaves at three o'clock.
            The ferry leaves at half past eight. | The ferry leaves at 8:30.
            It drew 9,000 visitors. | It drew 9 000 visitors.
            It drew 9,000 visitors. | It drew 9000 visitors.
            It drew 9,000 visitors. | It drew nine thousand visitors.
            It drew 9,000 visitors. | It drew 9k visitors.
            It drew 1.5 million visitors. | It drew 1,500,000 visitors.
            It drew 1.5m visitors. | It drew one and a half million visitors.
            It drew 1,500 visitors. | It drew about 1,500 visitors.
            It drew some 1,500 visitors. | It drew around 1,500 visitors.
            It costs £210,000. | It costs 210,000 pounds.
            It costs £210,000. | It costs £210k.
            It costs £1.2m. | It costs £1.2 million.
            It costs £1.2bn. | It costs £1.2 billion.
            It costs $5 million. | It costs US$5 million.
            It costs $5 million. | It costs 5 million dollars.
            It costs €5. | It costs five euros.
            It costs EUR 5. | It costs €5.
            It costs £5.50. | It costs £5.50p.
            It costs £5.00. | It costs £5.
            It rose by 12%. | It rose by 12 per cent.
            It rose by 12 percent. | It rose by 12 %.
            It rose by twelve percent. | It rose by 12%.
            It rose by 2.5%. | It rose by 2.50%.
            It opened on 3 May. | It opened on May 3rd.
            It opened on the 3rd of May. | It opened on 3 May.
            It opened on 3 May 2026. | It opened on 2026-05-03.
            It opened on 3 May 2026. | It opened on May 3, 2026.
            It opened on 3 May 2026. | It opened on 03/05/2026.
            It opened on Sunday 3 May. | It opened on Sunday, May 3.
            It opened on Sun 3 May. | It opened on Sunday 3 May.
            It opens on 3 Sept. | It opens on 3 September.
            It opened on the 21st. | It opened on the twenty-first.
            It was built in the 19th century. | It was built in the nineteenth century.
            It was built in the 1990s. | It was built in the 90s.
            It is open from 5 to 10 May. | It is open from 5–10 May.
            It is open 9am to 5pm. | It is open from 9:00 to 17:00.
            It is open 9-5pm. | It is open 9–5 pm.
            It costs 5–10 pounds. | It costs between 5 and 10 pounds.
            It costs £5-£10. | It costs £5 to £10.
            The season 2025/26 begins. | The season 2025-26 begins.
            It is 5 km long. | It is five kilometres long.
            It is 5km long. | It is 5 km long.
            It is 5 kilometers long. | It is 5 kilometres long.
            It weighs 3 kg. | It weighs three kilograms.
            It took 2 hours. | It took two hours.
            It took 20 mins. | It took 20 minutes.
            It took 2 hrs. | It took 2 hours.
            It took a 10-year effort. | It took a ten-year effort.
            The 12-year-old won. | The twelve-year-old won.
            They won 3-2. | They won 3–2.
            They won 3-2. | They won by 3 to 2.
            It was -5 °C. | It was minus 5 °C.
            One in ten fell ill. | 1 in 10 fell ill.
            It doubled in size. | It has doubled in size.
            It is two thirds done. | It is 2/3 done.
            Call 0316 123456 now. | Call 0316-123456 now.
            Henry VIII built it. | Henry the Eighth built it.
            It won twice. | It won two times.
            It lasted for a year. | It lasted a year.
            It costs A$5 million. | It costs 5 million Australian dollars.
            It costs US$5 million. | It costs 5 million US dollars.
            It costs 5 dollars. | It costs 5 US dollars.
            It costs 5 Swiss francs. | It costs CHF 5.
            It costs $.50. | It costs $0.50.
            It grew by .5%. | It grew by 0.5%.
        """,
        "changed": """
            The ferry leaves at 8 a.m. | The ferry leaves at 9 a.m.
            The ferry leaves at 8 a.m. | The ferry leaves at 8 p.m.
            The ferry leaves at 8am. | The ferry leaves at 8.30am.
            The ferry leaves at 20:00. | The ferry leaves at 9 p.m.
            The ferry leaves at noon. | The ferry leaves at midnight.
            The ferry leaves at half past eight. | The ferry leaves at half past nine.
            It drew 9,000 visitors. | It drew 7,000 visitors.
            It drew 9,000 visitors. | It drew 9.5 visitors.
            It drew 9,000 visitors. | It drew 90,000 visitors.
            It drew 1.5 million visitors. | It drew 1.5 billion visitors.
            It costs £210,000. | It costs £120,000.
            It costs £210,000. | It costs €210,000.
            It costs $5 million. | It costs £5 million.
            It costs 5 pounds. | It costs 5 dollars.
            It costs 5 euros. | It costs 5 cents.
            It rose by 12%. | It rose by 21%.
            It rose by 12%. | It rose by 12 percentage points.
            It opened on 3 May. | It opened on 4 May.
            It opened on 3 May 2026. | It opened on 3 May 2025.
            It opened on 3 May 2026. | It opened on 2026-06-03.
            It was built in the 19th century. | It was built in the 18th century.
            It is open from 5 to 10 May. | It is open from 5 to 12 May.
            It is 5 km long. | It is 5 miles long.
            It is 5 km long. | It is 5 metres long.
            It took 2 hours. | It took 2 days.
            It took nine years. | It took nine months.
            It weighs 3 kg. | It weighs 3 tonnes.
            They won 3-2. | They won 4-2.
            One in ten fell ill. | One in five fell ill.
            It won twice. | It won three times.
            Henry VIII built it. | Henry VII built it.
            It was 5 °C. | It was -5 °C.
            The season 2025/26 begins. | The season 2026/27 begins.
            It costs A$5 million. | It costs US$5 million.
            It costs US$5 million. | It costs C$5 million.
            It costs $5 million. | It costs C$5 million.
            It costs 5 million Australian dollars. | It costs 5 million US dollars.
            It costs 5 million New Zealand dollars. | It costs 5 million Australian dollars.
            It costs 5 dollars. | It costs 5 Canadian dollars.
            It costs $.50. | It costs $50.
            It grew by .5%. | It grew by 5%.
        """,
    },
    "de": {
        "small": """
            Die Fähre fährt um 8 Uhr ab. | Die Fähre fährt um 8.00 Uhr ab.
            Die Fähre fährt um 8 Uhr ab. | Die Fähre fährt um acht Uhr ab.
            Die Fähre fährt um 8:30 Uhr ab. | Die Fähre fährt um 8.30 Uhr ab.
            Die Fähre fährt um 20 Uhr ab. | Die Fähre fährt um 20:00 Uhr ab.
            Die Fähre fährt zu Mittag ab. | Die Fähre fährt mittags ab.
            Es kamen 9.000 Besucher. | Es kamen 9000 Besucher.
            Es kamen 9.000 Besucher. | Es kamen 9 000 Besucher.
            Es kamen 9.000 Besucher. | Es kamen neuntausend Besucher.
            Es kamen 1,5 Millionen Besucher. | Es kamen 1.500.000 Besucher.
            Es kamen 1,5 Mio. Besucher. | Es kamen eineinhalb Millionen Besucher.
            Es kamen 1500 Besucher. | Es kamen rund 1500 Besucher.
            Es kostet 210.000 Euro. | Es kostet 210.000 €.
            Es kostet 210.000 Euro. | Es kostet EUR 210.000.
            Es kostet 5 Euro. | Es kostet 5,00 Euro.
            Es kostet 5 Euro. | Es kostet fünf Euro.
            Es stieg um 12 Prozent. | Es stieg um 12 %.
            Es stieg um 12,5 Prozent. | Es stieg um 12,5%.
            Sie öffnet am 3. Mai. | Sie öffnet am 3.5.
            Sie öffnet am 3. Mai 2026. | Sie öffnet am 03.05.2026.
            Sie öffnet am Sonntag, 3. Mai. | Sie öffnet am Sonntag, dem 3. Mai.
            Sie ist im 19. Jahrhundert erbaut. | Sie ist im neunzehnten Jahrhundert erbaut.
            Sie öffnet von 5. bis 10. Mai. | Sie öffnet vom 5. bis zum 10. Mai.
            Sie kostet 5 bis 10 Euro. | Sie kostet 5–10 Euro.
            Sie ist 5 km lang. | Sie ist fünf Kilometer lang.
            Es dauerte 2 Stunden. | Es dauerte zwei Stunden.
            Der 14-Jährige gewann. | Der 14jährige gewann.
            Sie gewannen 3:2. | Sie gewannen 3 : 2.
            Es war der 2. Sieg. | Es war der zweite Sieg.
            Es kostet 5 Millionen US-Dollar. | Es kostet 5 Millionen Dollar.
            Es war ein neunjähriger Streit. | Es war ein 9-jähriger Streit.
        """,
        "changed": """
            Die Fähre fährt um 8 Uhr ab. | Die Fähre fährt um 9 Uhr ab.
            Die Fähre fährt um 8.30 Uhr ab. | Die Fähre fährt um 8.45 Uhr ab.
            Es kamen 9.000 Besucher. | Es kamen 7.000 Besucher.
            Es kamen 1,5 Millionen Besucher. | Es kamen 1,5 Milliarden Besucher.
            Es kostet 210.000 Euro. | Es kostet 210.000 Franken.
            Es kostet 210.000 Euro. | Es kostet 210.000 Dollar.
            Es stieg um 12 Prozent. | Es stieg um 12 Prozentpunkte.
            Sie öffnet am 3. Mai. | Sie öffnet am 4. Mai.
            Sie öffnet am 3. Mai. | Sie öffnet am 3. Juni.
            Sie ist im 19. Jahrhundert erbaut. | Sie ist im 18. Jahrhundert erbaut.
            Sie ist 5 km lang. | Sie ist 5 Meter lang.
            Es dauerte neun Jahre. | Es dauerte neun Monate.
            Es dauerte neun Jahre. | Es dauerte neun Tage.
            Sie gewannen 3:2. | Sie gewannen 3:1.
            Es war der zweite Sieg. | Es war der dritte Sieg.
            Es kostet 5 Millionen US-Dollar. | Es kostet 5 Millionen australische Dollar.
            Es war ein neunjähriger Streit. | Es war ein neunmonatiger Streit.
            Es ist ein 5-Jahres-Plan. | Es ist ein 5-Monats-Plan.
            Es ist ein Zehnkilometerlauf. | Es ist ein Zehnmeterlauf.
        """,
    },
    "fr": {
        "small": """
            Le bac part de Lyon à 8 h. | Le bac part de Lyon à 8 heures.
            Le bac part de Lyon à 8h30. | Le bac part de Lyon à 8 h 30.
            Le bac part de Lyon à midi. | Le bac part de Lyon à 12 h.
            Il y avait 9 000 visiteurs à Lyon. | Il y avait 9.000 visiteurs à Lyon.
            Il y avait 9 000 visiteurs à Lyon. | Il y avait neuf mille visiteurs à Lyon.
            Il y avait 1,5 million de visiteurs. | Il y avait 1 500 000 visiteurs.
            Il coûte 210 000 euros. | Il coûte 210 000 €.
            Il coûte 2 M€. | Il coûte 2 millions d'euros.
            Il ouvre le 3 mai. | Il ouvre le 3 mai prochain.
            Il ouvre le 1er mai. | Il ouvre le premier mai.
            Il date du XIXe siècle. | Il date du 19e siècle.
            Il est long de 5 km. | Il est long de cinq kilomètres.
        """,
        "changed": """
            Le bac part de Lyon à 8 h. | Le bac part de Lyon à 9 h.
            Il y avait 9 000 visiteurs à Lyon. | Il y avait 7 000 visiteurs à Lyon.
            Il coûte 210 000 euros. | Il coûte 210 000 dollars.
            Il ouvre le 3 mai. | Il ouvre le 4 mai.
            Il date du XIXe siècle. | Il date du XVIIIe siècle.
            Il a duré neuf ans. | Il a duré neuf mois.
            Il est long de 5 km. | Il est long de 5 mètres.
        """,
    },
    "es": {
        "small": """
            El barco sale a las 8 de Cádiz. | El barco sale a las ocho de Cádiz.
            El barco sale a las 20:00. | El barco sale a las 20.00.
            Hubo 9.000 visitantes. | Hubo 9000 visitantes.
            Hubo 1,5 millones de visitantes. | Hubo 1.500.000 visitantes.
            Cuesta 210.000 euros. | Cuesta 210.000 €.
            Abre el 3 de mayo de 2026. | Abre el 3/5/2026.
            Mide 5 km. | Mide cinco kilómetros.
        """,
        "changed": """
            Hubo 9.000 visitantes. | Hubo 7.000 visitantes.
            Cuesta 210.000 euros. | Cuesta 210.000 pesos.
            Abre el 3 de mayo. | Abre el 4 de mayo.
            Duró nueve años. | Duró nueve meses.
        """,
    },
    "it": {
        "small": """
            Il traghetto parte alle 8. | Il traghetto parte alle 8:00.
            C'erano 9.000 visitatori. | C'erano 9000 visitatori.
            Costa 210.000 euro. | Costa 210.000 €.
        """,
        "changed": """
            C'erano 9.000 visitatori. | C'erano 7.000 visitatori.
            Costa 210.000 euro. | Costa 210.000 dollari.
            È durato nove anni. | È durato nove mesi.
        """,
    },
    "nl": {
        "small": """
            De veerboot vaart om 8 uur. | De veerboot vaart om 8.00 uur.
            Er kwamen 9.000 bezoekers. | Er kwamen 9000 bezoekers.
            Het kost 5 euro. | Het kost € 5,-.
        """,
        "changed": """
            Er kwamen 9.000 bezoekers. | Er kwamen 7.000 bezoekers.
            Het duurde negen jaar. | Het duurde negen maanden.
            Het kost 5 euro. | Het kost 5 dollar.
        """,
    },
    "pt": {
        "small": """
            O barco parte às 8h. | O barco parte às 8 horas.
            Vieram 9.000 visitantes. | Vieram 9 mil visitantes.
            Custa R$ 5. | Custa 5 reais.
        """,
        "changed": """
            Vieram 9.000 visitantes. | Vieram 7.000 visitantes.
            Durou nove anos. | Durou nove meses.
            Custa 5 reais. | Custa 5 dólares.
        """,
    },
    "sv": {
        "small": """
            Färjan går kl. 8. | Färjan går klockan 8.
            Färjan går kl. 8.00. | Färjan går kl. 08.00.
            Det kom 9 000 besökare. | Det kom 9000 besökare.
            Det kostar 5 kronor. | Det kostar 5 kr.
        """,
        "changed": """
            Det kom 9 000 besökare. | Det kom 7 000 besökare.
            Det tog 9 år. | Det tog 9 månader.
            Det kostar 5 kronor. | Det kostar 5 euro.
            Den öppnar på måndag. | Den öppnar på tisdag.
            Den öppnar i maj. | Den öppnar i juni.
        """,
    },
    "da": {
        "small": """
            Færgen sejler kl. 8. | Færgen sejler klokken 8.
            Der kom 9.000 gæster. | Der kom 9000 gæster.
        """,
        "changed": """
            Der kom 9.000 gæster. | Der kom 7.000 gæster.
            Det tog ni år. | Det tog ni måneder.
        """,
    },
    "pl": {
        "small": """
            Prom odpływa o 8:00. | Prom odpływa o 8.00.
            Przyszło 9 tys. gości. | Przyszło 9 000 gości.
            Kosztuje 5 złotych. | Kosztuje 5 zł.
        """,
        "changed": """
            Przyszło 9 tys. gości. | Przyszło 7 tys. gości.
            Otwarcie 3 maja. | Otwarcie 3 czerwca.
            Otwarcie w poniedziałek. | Otwarcie we wtorek.
            Trwało to 9 lat. | Trwało to 9 miesięcy.
        """,
    },
    "ru": {
        "small": """
            Пришло 9000 гостей. | Пришло 9 000 гостей.
            Пришло 9 тыс. гостей. | Пришло 9 тысяч гостей.
        """,
        "changed": """
            Пришло 9000 гостей. | Пришло 7000 гостей.
            Мост откроют в понедельник. | Мост откроют во вторник.
            Мост откроют 3 мая. | Мост откроют 3 июня.
        """,
    },
    "ja": {
        "small": "来場者は9,000人だった。 | 来場者は9000人だった。",
        "changed": "来場者は9000人だった。 | 来場者は7000人だった。",
    },
}  # fmt: skip


# Written down when the lists of German nouns were done, to see what they are worth on words that nobody had in mind.
UNSEEN = {
    "de": {
        "changed": """
            Der Sturm zog über Kärnten hinweg. | Der Sturm zog über Tirol hinweg.
            Die Fabrik liegt am Inn. | Die Fabrik liegt an der Drau.
            Den Vorsitz übernimmt Frau Steiner. | Den Vorsitz übernimmt Frau Egger.
            Das Medikament stellt Bayer her. | Das Medikament stellt Novartis her.
            Das Rennen gewann die Norwegerin. | Das Rennen gewann die Schwedin.
            Die Kundgebung fand vor dem Stephansdom statt. | Die Kundgebung fand vor dem Veitsdom statt.
            Sie las aus ihrem Roman über Prag. | Sie las aus ihrem Roman über Brünn.
            Der Minister reiste mit Scholz nach Oman. | Der Minister reiste mit Merz nach Oman.
            Der Konzern verkauft seine Anteile an Huber & Söhne. | Der Konzern verkauft seine Anteile an Mayr & Söhne.
            Die Autobahn endet vor Villach. | Die Autobahn endet vor Spittal.
            Die Grünen stimmten gegen den Vorschlag. | Die Linken stimmten gegen den Vorschlag.
            Im Film spielt Hannah Schwarz mit. | Im Film spielt Hannah Weiß mit.
            """,
        "small": """
            Die Ärztin riet zu mehr Schlaf. | Die Medizinerin riet zu mehr Ruhe.
            Der Ausfall betraf Tausende Haushalte. | Die Störung betraf Tausende Haushalte.
            Die Erntehelfer klagen über niedrige Löhne. | Die Saisonkräfte klagen über niedrige Löhne.
            Der Kater wurde vom Dach geholt. | Die Katze wurde vom Dach geholt.
            Mit dem Rad kommt man am schnellsten ans Ziel. | Mit dem Fahrrad kommt man am schnellsten ans Ziel.
            Die Veranstalter erwarten eine Rekordkulisse. | Die Organisatoren erwarten viele Zuschauer.
            Die Genossenschaft senkt die Mieten. | Die Wohnbaugesellschaft senkt die Mieten.
            Der Richter sprach von Fahrlässigkeit. | Der Vorsitzende sprach von Leichtsinn.
            Das Gemälde hängt wieder im Museum. | Das Bild hängt wieder in der Galerie.
            Die Einsatzkräfte pumpten Keller aus. | Die Feuerwehrleute pumpten Keller aus.
            Die Wanderer kehrten in der Hütte ein. | Die Ausflügler kehrten in der Hütte ein.
            Auf der Bühne stand ein Klavier. | Auf der Bühne stand ein Flügel.
            Die Kanzlei legte Berufung ein. | Die Verteidigung legte Berufung ein.
            Ein Passant rief die Rettung. | Ein Fußgänger rief den Notarzt.
            Die Verhandlungen dauern an. | Die Gespräche dauern an.
            Der Tierarzt behandelte das Reh. | Der Veterinär behandelte das Tier.
            """,
    },
}

# A correction or small edit and what a post says: "wrong" about what is named before the post, "right" otherwise.
POSTS = (
    # several facts changed, and the post says one of them
    ("en", "It drew 9,000 visitors on Sunday. The bridge cost £210,000. Mayor Ada Byron opened it.", "It drew 7,000 visitors on Sunday. The bridge cost £310,000. Mayor Ada Lovelace opened it.", "The bridge cost £210,000.", "£210,000"),
    ("en", "It drew 9,000 visitors on Sunday. It has three arches.", "It drew 7,000 visitors on Sunday. It has three arches.", "It has three arches.", ""),
    ("en", "The bridge drew 9,000 visitors and cost £210,000 in all.", "The bridge drew 7,000 visitors and cost £310,000 in all.", "Our bridge: 9,000 visitors!", "9,000"),
    ("en", "It has 42 new desks.", "It has 48 new desks.", "It has 42 new desks.", "42"),
    ("en", "The fair drew 9,000 visitors. The bridge cost 9,000 pounds.", "The fair drew 7,000 visitors. The bridge cost 9,000 pounds.", "A bridge for 9,000 pounds!", ""),
    # lines that were cut short
    ("en", "The bridge over the river Senn in the old town of Larkhaven cost £210,000 in the end.", "The bridge over the river Senn in the old town of Larkhaven cost £310,000 in the end.", "The bridge over the river Senn in the old town…", ""),
    ("en", "The bridge drew 9,000 visitors to the river Senn in the old town of Larkhaven.", "The bridge drew 7,000 visitors to the river Senn in the old town of Larkhaven.", "The bridge drew 9,000 visitors to the river Senn…", "9,000"),
    # hashtags and alt texts
    ("en", "The bridge was opened by Ada Byron.", "The bridge was opened by Ada Lovelace.", "A bridge opens. #AdaByron #Bridge", "Byron"),
    ("en", "The bridge was opened by Ada Byron.", "The bridge was opened by Ada Lovelace.", "A bridge opens. #byron", "Byron"),
    ("en", "The bridge was opened by Ada Byron.", "The bridge was opened by Ada Lovelace.", "A bridge opens. #Larkhaven #Bridge", ""),
    ("en", "The bridge was opened by Ada Byron.", "The bridge was opened by Ada Lovelace.", "Ada Byron cuts a ribbon on the bridge", "Byron"),
    # sentences that are split, joined, shortened, spelt otherwise
    ("en", "The bridge, which cost £210,000, was opened by Ada Byron on Monday.", "The bridge cost £210,000. It was opened by Ada Byron on Monday.", "The bridge, which cost £210,000, was opened by Ada Byron on Monday.", ""),
    ("en", "The bridge cost £210,000. It was opened by Ada Byron on Monday.", "The bridge cost £210,000 and was opened by Ada Byron on Monday.", "The bridge cost £210,000.", ""),
    ("en", "The bridge cost £210,000.", "The bridge cost £210,000, of which the town paid 40,000.", "The bridge cost £210,000.", ""),
    ("en", "The bridge was opened by Byron in May.", "The bridge was opened by Mayor Ada Byron in May.", "The bridge was opened by Byron in May.", ""),
    ("en", "Mayor Ada Byron opened the bridge. The mayor, Ada Byron, was glad.", "Byron opened the bridge. The mayor, Ada Byron, was glad.", "Mayor Ada Byron opened the bridge.", ""),
    ("en", "“We are glad,” said Ada Byron.", '"We are glad", said Ada Byron.', "“We are glad,” said Ada Byron.", ""),
    ("en", "The colour of the bridge in Graz is grey.", "The color of the bridge in Graz is gray.", "The colour of the bridge in Graz is grey.", ""),
    ("en", "It drew 1,500 visitors.", "It drew more than 1,500 visitors.", "It drew 1,500 visitors.", ""),
    ("en", "See larkhaven.example for the bridge.", "See larkhaven.example/bridge for the bridge.", "See larkhaven.example for the bridge.", ""),
    ("de", "Die Brücke öffnete am Montag in Graz.", "Am Montag wurde in Graz die Brücke geöffnet.", "Die Brücke öffnete am Montag in Graz.", ""),
    ("de", "Der Bürgermeister von Graz kam.", "Graz' Bürgermeister kam.", "Der Bürgermeister von Graz kam.", ""),
    ("de", "Die Bürger von Graz kamen.", "Die Bürgerinnen und Bürger von Graz kamen.", "Die Bürger von Graz kamen.", ""),
    # corrections
    ("en", "The bridge was opened by Ada Bryon.", "The bridge was opened by Ada Byron.", "The bridge was opened by Ada Bryon.", "Bryon"),
    ("en", "The bridge cost £210,000. It rained all day long.", "It rained all day long.", "The bridge cost £210,000.", "£210,000"),
    ("en", "It drew 1,500 visitors.", "It drew 1,512 visitors.", "It drew 1,500 visitors.", "1,500"),
    ("en", "It took 9 years and 7 months.", "It took 7 years and 9 months.", "It took 9 years and 7 months.", "7 months, 9 years"),
    ("en", "The bridge cost €210,000.", "The bridge cost £210,000.", "The bridge cost €210,000!", "€210,000"),
    ("en", "The bridge took nine years to mend.", "The bridge took nine months to mend.", "Nine years to mend a bridge!", "nine years"),
    ("en", "The bridge took nine years to mend.", "The bridge took nine months to mend.", "Nine months to mend a bridge!", ""),
    ("fr", "Le pont ouvre lundi à Lyon.", "Le pont ouvre mardi à Lyon.", "Le pont ouvre lundi à Lyon. #Lyon", "lundi"),
    ("fr", "Le pont d'Avignon est fermé.", "Le pont d'Arles est fermé.", "Le pont d'Avignon est fermé.", "Avignon"),
    ("it", "Il ponte dell'Aquila è chiuso.", "Il ponte dell'Elba è chiuso.", "Il ponte dell'Aquila è chiuso.", "Aquila"),
    ("en", "The town (Graz) pays.", "The town (Linz) pays.", "The town (Graz) pays.", "Graz"),
    ("de", "Gesperrt ist die Strecke Graz/Linz.", "Gesperrt ist die Strecke Graz/Wels.", "Gesperrt ist die Strecke Graz/Linz.", "Linz"),
    ("de", "Gesperrt ist die A9 bei Graz.", "Gesperrt ist die A2 bei Graz.", "Gesperrt ist die A9 bei Graz.", "9"),
    ("es", "El PSOE ganó en Cádiz.", "El PP ganó en Cádiz.", "El PSOE ganó en Cádiz.", "PSOE"),
    ("tr", "Köprü Ankara'da açıldı.", "Köprü İzmir'de açıldı.", "Köprü Ankara'da açıldı.", "Ankara'da"),
    ("zh", "有9000名游客。", "有7000名游客。", "有9000名游客。", "9000"),
    ("el", "Η γέφυρα άνοιξε στην Πάτρα.", "Η γέφυρα άνοιξε στην Καβάλα.", "Η γέφυρα άνοιξε στην Πάτρα.", "Πάτρα"),
    # the same words with the opposite sense
    ("en", "The bridge will open in May.", "The bridge will not open in May.", "The bridge will open in May.", "the opposite"),
    ("de", "Die Brücke ist nicht gesperrt.", "Die Brücke ist gesperrt.", "Die Brücke ist nicht gesperrt.", "the opposite"),
    ("en", "In May, Byron sued Lovelace.", "In May, Lovelace sued Byron.", "In May, Byron sued Lovelace.", "the opposite"),
    ("ja", "工場はソニーが建てた。雨が降った。", "工場はパナソニックが建てた。雨が降った。", "ソニーの工場が完成", "ソニー"),
    ("ja", "映画は『夜明け』と呼ばれる。", "映画は『夕暮れ』と呼ばれる。", "新作『夜明け』の映画が公開", "夜明け"),
    ("ja", "東京で大きな橋がきょう開いた。雨が降った。", "大阪で大きな橋がきょう開いた。雨が降った。", "東京で大きな橋がきょう開いた。", "only a person can tell whether the same"),
    ("ja", "東京で大きな橋がきょう開いた。雨が降った。", "大阪で大きな橋がきょう開いた。雨が降った。", "雨が降った。", ""),
    ("ja", "東京で大きな橋が開いた。", "東京で大きな橋が開いた。雨が降った。", "東京で大きな橋が開いた。", ""),
    ("en", "In May, Byron and Lovelace met.", "In May, Lovelace and Byron met.", "In May, Byron and Lovelace met.", ""),
)  # fmt: skip


def lines(table: str) -> Iterator[tuple[str, str]]:
    """The pairs of a table, before and after."""
    for line in table.strip().splitlines():
        before, after = line.strip().split(" | ")
        yield before, after


def pairs(tables: dict[str, dict[str, str]]) -> Iterator[tuple[str, bool, str, str]]:
    """Every pair with its language and whether a fact is another one."""
    for tag, kinds in tables.items():
        for kind, table in kinds.items():
            yield from ((tag, kind == "changed", before, after) for before, after in lines(table))
