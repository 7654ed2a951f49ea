"""Texts of the page in each language. Imports nothing heavy."""

from __future__ import annotations

from enum import Enum

from emodetect.drawing.phrases import Texts

NATIVE_NAMES = {
    "en": "English", "ko": "한국어", "ja": "日本語", "zh": "中文", "es": "Español", "de": "Deutsch", "fr": "Français",
}  # fmt: skip
"""Native name of each language."""


class PageText(Enum):
    """A text of the page in each language; ``{...}`` stands for a value that the page fills in."""

    PRIVACY = Texts(
        en="The pictures of the camera are sent to {host} only, which runs emodetect. They are read there and not stored.",
        ko="카메라 화면은 emodetect가 실행 중인 {host}에만 전송되며, 분석 후 저장되지 않습니다.",
        ja="カメラの映像は emodetect が動作している {host} にだけ送信され、解析後に保存されることはありません。",
        zh="摄像头画面仅发送到运行 emodetect 的 {host}, 分析后不会保存。",
        es="Las imágenes de la cámara se envían solo a {host}, donde se ejecuta emodetect. Allí se analizan y no se guardan.",
        de="Die Bilder der Kamera gehen nur an {host}, wo emodetect läuft. Dort werden sie ausgewertet und nicht gespeichert.",
        fr="Les images de la caméra ne vont qu'à {host}, où tourne emodetect. Elles y sont analysées, jamais conservées.",
    )
    THIS_MACHINE = Texts(
        en="this machine ({host})",
        ko="이 컴퓨터({host})",
        ja="このコンピューター ({host})",
        zh="本机 ({host})",
        es="este equipo ({host})",
        de="diesen Rechner ({host})",
        fr="cette machine ({host})",
    )
    LIMITS = Texts(
        en="What a face shows is not what a person feels.",
        ko="얼굴에 드러나는 것이 그 사람의 감정은 아닙니다.",
        ja="顔に表れるものは、その人の感情そのものではありません。",
        zh="面部表情并不等于人的真实感受。",
        es="Lo que muestra una cara no es lo que siente una persona.",
        de="Was ein Gesicht zeigt, ist nicht, was ein Mensch fühlt.",
        fr="Ce que montre un visage n'est pas ce que ressent une personne.",
    )
    START = Texts(
        en="Start the camera",
        ko="카메라 시작",
        ja="カメラを開始",
        zh="启动摄像头",
        es="Iniciar la cámara",
        de="Kamera starten",
        fr="Démarrer la caméra",
    )
    WATCH = Texts(
        en="Watch the server's source",
        ko="서버의 영상 보기",
        ja="サーバーの映像を見る",
        zh="观看服务器的画面",
        es="Ver la fuente del servidor",
        de="Quelle des Servers ansehen",
        fr="Regarder la source du serveur",
    )
    STOP = Texts(en="Stop", ko="중지", ja="停止", zh="停止", es="Detener", de="Beenden", fr="Arrêter")
    PAUSE = Texts(en="Pause", ko="일시 정지", ja="一時停止", zh="暂停", es="Pausar", de="Pause", fr="Pause")
    RESUME = Texts(en="Resume", ko="계속", ja="再開", zh="继续", es="Reanudar", de="Weiter", fr="Reprendre")
    SNAPSHOT = Texts(en="Snapshot", ko="화면 저장", ja="画像を保存", zh="截图", es="Captura", de="Bild speichern", fr="Capture")
    RECORD = Texts(en="Record", ko="녹화", ja="録画", zh="录制", es="Grabar", de="Aufnehmen", fr="Filmer")
    STOP_RECORDING = Texts(
        en="Stop recording",
        ko="녹화 중지",
        ja="録画を停止",
        zh="停止录制",
        es="Detener la grabación",
        de="Aufnahme beenden",
        fr="Arrêter l'enregistrement",
    )
    LOG = Texts(
        en="Download the log",
        ko="로그 내려받기",
        ja="ログをダウンロード",
        zh="下载日志",
        es="Descargar el registro",
        de="Protokoll herunterladen",
        fr="Télécharger le journal",
    )
    MIRROR = Texts(en="Mirror", ko="좌우 반전", ja="左右反転", zh="镜像", es="Espejo", de="Spiegeln", fr="Miroir")
    BARS = Texts(en="Bars", ko="점수 막대", ja="スコアのバー", zh="得分条", es="Barras", de="Balken", fr="Barres")
    SETTINGS = Texts(en="Settings", ko="설정", ja="設定", zh="设置", es="Ajustes", de="Einstellungen", fr="Réglages")
    BACKEND = Texts(en="Backend", ko="백엔드", ja="バックエンド", zh="后端", es="Backend", de="Backend", fr="Backend")
    DETECTOR = Texts(
        en="Detector", ko="얼굴 검출기", ja="顔検出器", zh="人脸检测器", es="Detector", de="Detektor", fr="Détecteur"
    )
    LANGUAGE = Texts(en="Language", ko="언어", ja="言語", zh="语言", es="Idioma", de="Sprache", fr="Langue")
    PICTURE = Texts(
        en="Picture with boxes and labels; the faces are listed below",
        ko="상자와 라벨이 있는 화면. 얼굴 목록은 아래에 있습니다",
        ja="枠とラベル付きの映像。顔の一覧は下にあります",
        zh="带有方框和标签的画面, 人脸列表在下方",
        es="Imagen con recuadros y etiquetas; las caras se enumeran abajo",
        de="Bild mit Rahmen und Beschriftung; die Gesichter stehen darunter",
        fr="Image avec cadres et étiquettes ; les visages sont listés ci-dessous",
    )
    FACES = Texts(en="Faces", ko="얼굴", ja="顔", zh="人脸", es="Caras", de="Gesichter", fr="Visages")
    TIMELINE = Texts(
        en="The last minute", ko="최근 1분", ja="直近1分", zh="最近一分钟", es="El último minuto", de="Die letzte Minute",
        fr="La dernière minute",
    )  # fmt: skip
    TIMELINE_EXPLAINED = Texts(
        en="Each row is a person; the height shows the confidence, gray is uncertain.",
        ko="한 줄이 한 사람입니다. 높이는 신뢰도, 회색은 불확실을 뜻합니다.",
        ja="各行が1人です。高さは信頼度、灰色は判定不能を表します。",
        zh="每行代表一个人, 高度表示置信度, 灰色表示不确定。",
        es="Cada fila es una persona; la altura indica la confianza y el gris, duda.",
        de="Jede Zeile ist eine Person; die Höhe zeigt die Konfidenz, grau heißt unklar.",
        fr="Chaque ligne est une personne ; la hauteur indique la confiance, le gris l'incertitude.",
    )
    PERSON = Texts(
        en="person {number}",
        ko="인물 {number}",
        ja="人物 {number}",
        zh="人物 {number}",
        es="persona {number}",
        de="Person {number}",
        fr="personne {number}",
    )
    NO_FACE = Texts(
        en="no face found",
        ko="얼굴을 찾지 못함",
        ja="顔が見つかりません",
        zh="未找到人脸",
        es="no se encontró ninguna cara",
        de="kein Gesicht gefunden",
        fr="aucun visage trouvé",
    )
    NUMBERS = Texts(
        en="{rate} frames/s, round trip {delay} ms",
        ko="초당 {rate}프레임, 왕복 {delay}ms",
        ja="{rate} フレーム/秒、往復 {delay} ms",
        zh="{rate} 帧/秒, 往返 {delay} 毫秒",
        es="{rate} fotogramas/s, ida y vuelta {delay} ms",
        de="{rate} Bilder/s, Umlauf {delay} ms",
        fr="{rate} images/s, aller-retour {delay} ms",
    )
    RATE = Texts(
        en="{rate} frames/s",
        ko="초당 {rate}프레임",
        ja="{rate} フレーム/秒",
        zh="{rate} 帧/秒",
        es="{rate} fotogramas/s",
        de="{rate} Bilder/s",
        fr="{rate} images/s",
    )
    CONNECTING = Texts(
        en="connecting ...",
        ko="연결 중 ...",
        ja="接続中 ...",
        zh="正在连接 ...",
        es="conectando ...",
        de="Verbindung wird aufgebaut ...",
        fr="connexion ...",
    )
    RECONNECTING = Texts(
        en="connection lost; reconnecting ...",
        ko="연결이 끊겨 다시 연결하는 중 ...",
        ja="接続が切れました。再接続中 ...",
        zh="连接已断开, 正在重新连接 ...",
        es="conexión perdida; reconectando ...",
        de="Verbindung verloren; wird wiederhergestellt ...",
        fr="connexion perdue ; reconnexion ...",
    )
    LIVE = Texts(en="live", ko="실시간", ja="ライブ", zh="实时", es="en directo", de="live", fr="en direct")
    PAUSED = Texts(en="paused", ko="일시 정지", ja="一時停止中", zh="已暂停", es="en pausa", de="Pause", fr="en pause")
    STOPPED = Texts(en="stopped", ko="중지됨", ja="停止しました", zh="已停止", es="detenido", de="beendet", fr="arrêté")
    ENDED = Texts(
        en="the source has ended",
        ko="영상이 끝났습니다",
        ja="映像が終了しました",
        zh="画面已结束",
        es="la fuente ha terminado",
        de="die Quelle ist zu Ende",
        fr="la source est terminée",
    )
    RECORDING = Texts(en="recording", ko="녹화 중", ja="録画中", zh="正在录制", es="grabando", de="Aufnahme", fr="enregistrement")
    NO_CAMERA = Texts(
        en="The camera cannot be used ({reason}).",
        ko="카메라를 사용할 수 없습니다({reason}).",
        ja="カメラを使用できません ({reason})。",
        zh="无法使用摄像头 ({reason})。",
        es="No se puede usar la cámara ({reason}).",
        de="Die Kamera lässt sich nicht verwenden ({reason}).",
        fr="La caméra ne peut pas être utilisée ({reason}).",
    )
    INSECURE = Texts(
        en="Browsers give a page the camera only on localhost or over HTTPS; start emodetect with a certificate.",
        ko="브라우저는 localhost나 HTTPS에서만 카메라를 허용합니다. 인증서와 함께 emodetect를 시작하세요.",
        ja="ブラウザーは localhost か HTTPS でのみカメラを許可します。証明書を指定して emodetect を起動してください。",
        zh="浏览器仅在 localhost 或 HTTPS 下允许使用摄像头, 请使用证书启动 emodetect。",
        es="Los navegadores solo dan la cámara en localhost o por HTTPS; inicie emodetect con un certificado.",
        de="Browser geben die Kamera nur auf localhost oder über HTTPS frei; emodetect mit einem Zertifikat starten.",
        fr="Les navigateurs n'ouvrent la caméra que sur localhost ou en HTTPS ; lancez emodetect avec un certificat.",
    )
    TOKEN = Texts(
        en="Token of the server",
        ko="서버 토큰",
        ja="サーバーのトークン",
        zh="服务器令牌",
        es="Token del servidor",
        de="Token des Servers",
        fr="Jeton du serveur",
    )
    TOKEN_NEEDED = Texts(
        en="This server needs a token. It is kept until this tab is closed.",
        ko="이 서버에는 토큰이 필요합니다. 탭을 닫을 때까지 보관됩니다.",
        ja="このサーバーにはトークンが必要です。タブを閉じるまで保持されます。",
        zh="此服务器需要令牌, 令牌会保留到关闭此标签页为止。",
        es="Este servidor necesita un token. Se conserva hasta cerrar esta pestaña.",
        de="Dieser Server verlangt ein Token. Es wird behalten, bis der Tab geschlossen wird.",
        fr="Ce serveur demande un jeton. Il est gardé jusqu'à la fermeture de l'onglet.",
    )
    TOKEN_WRONG = Texts(
        en="The server does not accept this token.",
        ko="서버가 이 토큰을 받아들이지 않습니다.",
        ja="サーバーはこのトークンを受け付けません。",
        zh="服务器不接受此令牌。",
        es="El servidor no acepta este token.",
        de="Der Server nimmt dieses Token nicht an.",
        fr="Le serveur n'accepte pas ce jeton.",
    )
    CONTINUE = Texts(en="Continue", ko="계속", ja="続行", zh="继续", es="Continuar", de="Weiter", fr="Continuer")
    INTERFACE = Texts(
        en="Interface for programs",
        ko="프로그램용 인터페이스",
        ja="プログラム用インターフェイス",
        zh="程序接口",
        es="Interfaz para programas",
        de="Schnittstelle für Programme",
        fr="Interface pour programmes",
    )
    OVERLAY = Texts(
        en="Overlay for OBS",
        ko="OBS용 오버레이",
        ja="OBS 用オーバーレイ",
        zh="OBS 叠加层",
        es="Superposición para OBS",
        de="Overlay für OBS",
        fr="Incrustation pour OBS",
    )

    def text(self, language: str) -> str:
        """The text in a language.

        >>> PageText.STOP.text("de")
        'Beenden'

        Args:
            language: one of `emodetect.drawing.languages.WORDS`.
        """
        text: str = getattr(self.value, language)
        return text
